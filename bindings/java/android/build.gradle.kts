// An Android library (AAR) of the Java classes beside this folder and prebuilt native libraries in
// src/main/jniLibs/ABI/libpinhole_jni.so. README.md says how to build those.
plugins {
    id("com.android.library") version "8.7.3"
}

android {
    namespace = "pinhole"
    compileSdk = 35

    defaultConfig {
        // java.lang.ref.Cleaner came with Android 13.
        minSdk = 33
        consumerProguardFiles("consumer-rules.pro")
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    sourceSets {
        getByName("main") {
            java.srcDir("../src/main/java")
        }
    }

    androidResources {
        // Bundles are compressed as much as they can be: stored, they can be mapped instead of copied.
        noCompress += "pinm"
    }
}

//! The `pinhole` program as its users run it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::{error_lines, json, names_in, pinhole, sample, scene, stdout};
use image::{DynamicImage, GrayImage, ImageFormat, RgbaImage};
use tempfile::TempDir;

mod usage {
    use super::*;

    #[test]
    fn help_and_version_succeed() {
        assert!(stdout(pinhole().arg("--version")).starts_with(b"pinhole "));
        for command in ["encode", "decode", "info", "compare", "model", "bench", "figure"] {
            let help = String::from_utf8(stdout(pinhole().args([command, "--help"]))).unwrap();
            assert!(help.contains("Usage:"), "{command}");
        }
    }

    #[test]
    fn help_says_what_is_overwritten() {
        let help = String::from_utf8(stdout(pinhole().args(["encode", "--help"]))).unwrap();
        assert!(help.contains("overwritten"));
    }

    #[test]
    fn wrong_usage_is_one_line_and_exit_code_two() {
        let wrong: [&[&str]; 8] = [
            &["encode"],
            &["frobnicate"],
            &["encode", "a.png", "-q", "101"],
            &["encode", "a.png", "-q", "10", "--target-bpp", "1"],
            &["encode", "a.png", "b.png", "-o", "-"],
            &["encode", "-", "-"],
            &["decode", "a.pin", "-o", "a.mp3"],
            &["compare", "only-one.png"],
        ];
        for words in wrong {
            let lines = error_lines(pinhole().args(words), 2);
            assert_eq!(lines.len(), 1, "{words:?}: {lines:?}");
            assert!(lines[0].starts_with("pinhole: "), "{words:?}: {lines:?}");
        }
    }

    #[test]
    fn no_command_shows_help_and_fails() {
        assert!(error_lines(&mut pinhole(), 2).len() > 3);
    }
}

mod bench {
    use super::*;

    #[test]
    fn it_reports_speed_and_instruction_set() {
        let mut command = pinhole();
        command.env("PINHOLE_ISA", "scalar").args(["bench", "--runs", "1", "--json"]);
        let reports = json(command.arg(sample("chelsea.png")));
        let report = &reports[0];
        assert_eq!((report["width"].as_u64(), report["height"].as_u64()), (Some(451), Some(300)));
        assert_eq!(report["instruction_set"], "scalar");
        for what in ["encode", "decode"] {
            let speed = &report[what];
            let (median, least) = (speed["median_ms"].as_f64(), speed["least_ms"].as_f64());
            assert!(least > Some(0.0) && median >= least);
        }
        let words = stdout(pinhole().args(["bench", "--runs", "1"]));
        assert!(String::from_utf8(words).unwrap().contains("Mpixel/s"));
    }

    #[test]
    fn a_missing_picture_is_told() {
        let lines = error_lines(pinhole().args(["bench", "no-such.png"]), 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("pinhole: no-such.png: "), "{lines:?}");
    }
}

mod codec {
    use super::*;

    fn encode(input: &Path, output: &Path, words: &[&str]) {
        pinhole().arg("encode").arg(input).arg("-o").arg(output).args(words).assert().success();
    }

    fn decode(input: &Path, output: &Path, words: &[&str]) {
        pinhole().arg("decode").arg(input).arg("-o").arg(output).args(words).assert().success();
    }

    /// The picture after PNG → pin → PNG.
    fn round_trip(picture: &DynamicImage, words: &[&str]) -> DynamicImage {
        let folder = TempDir::new().unwrap();
        let [before, stream, after] =
            ["before.png", "a.pin", "after.png"].map(|name| folder.path().join(name));
        picture.save(&before).unwrap();
        encode(&before, &stream, words);
        decode(&stream, &after, &[]);
        image::open(&after).unwrap()
    }

    #[test]
    fn size_and_kind_survive() {
        for (width, height) in [(1, 1), (1, 9), (7, 3), (16, 16), (129, 65), (200, 131)] {
            let rgb = scene(width, height);
            let gray = DynamicImage::ImageRgb8(rgb.clone()).into_luma8();
            for picture in [DynamicImage::ImageRgb8(rgb), DynamicImage::ImageLuma8(gray)] {
                let after = round_trip(&picture, &[]);
                assert_eq!(after.color(), picture.color(), "{width}x{height}");
                assert_eq!((after.width(), after.height()), (width, height));
            }
        }
    }

    #[test]
    fn the_decoded_picture_looks_like_the_original() {
        let folder = TempDir::new().unwrap();
        let mut last = f64::NEG_INFINITY;
        let mut last_bytes = 0;
        for quality in ["10", "50", "90"] {
            let stream = folder.path().join(format!("q{quality}.pin"));
            encode(&sample("chelsea.png"), &stream, &["-q", quality]);
            let after = stream.with_extension("png");
            decode(&stream, &after, &[]);
            let scores =
                json(pinhole().args(["compare", "--json"]).args([sample("chelsea.png"), after]));
            let score = scores["ssimulacra2"].as_f64().unwrap();
            let bytes = fs::metadata(&stream).unwrap().len();
            assert!(score > last && bytes > last_bytes, "{quality}: {score}, {bytes} bytes");
            assert!(scores["psnr"].as_f64().unwrap() > 24.0);
            (last, last_bytes) = (score, bytes);
        }
    }

    #[test]
    fn alpha_is_exact() {
        let before = image::open(sample("coffee-cup.png")).unwrap();
        let after = round_trip(&before, &["-q", "30"]);
        let alpha = |picture: &DynamicImage| -> Vec<u8> {
            picture.to_rgba8().pixels().map(|pixel| pixel[3]).collect()
        };
        assert_eq!(after.color(), image::ColorType::Rgba8);
        assert_eq!(alpha(&after), alpha(&before));

        let tiny = RgbaImage::from_fn(3, 2, |x, y| image::Rgba([9, 99, 200, (x * 80 + y) as u8]));
        let tiny = DynamicImage::ImageRgba8(tiny);
        assert_eq!(alpha(&round_trip(&tiny, &[])), alpha(&tiny));
    }

    #[test]
    fn pipes_give_the_same_bytes_as_files() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        let after = folder.path().join("a.ppm");
        encode(&sample("coffee.png"), &stream, &[]);
        decode(&stream, &after, &[]);
        let original = fs::read(sample("coffee.png")).unwrap();
        let piped = stdout(pinhole().args(["encode", "-"]).write_stdin(original));
        assert_eq!(piped, fs::read(&stream).unwrap());
        let words = ["decode", "-", "-o", "-", "--format", "ppm"];
        let picture = stdout(pinhole().args(words).write_stdin(piped));
        assert_eq!(picture, fs::read(&after).unwrap());
    }

    #[test]
    fn threads_and_runs_do_not_change_the_bytes() {
        let encoded = |threads: &str| {
            let mut command = pinhole();
            command.arg("encode").arg(sample("astronaut.png"));
            stdout(command.args(["--chunk-rows", "64", "-o", "-", "--threads", threads]))
        };
        assert_eq!(encoded("1"), encoded("2"));
    }

    #[test]
    fn several_inputs_go_to_a_folder() {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("new/folder");
        let inputs = ["chelsea.png", "coffee.png", "rocket.jpg"].map(sample);
        pinhole().arg("encode").args(&inputs).arg("-o").arg(&out).assert().success();
        assert_eq!(names_in(&out), ["chelsea.pin", "coffee.pin", "rocket.pin"]);
        let streams = names_in(&out).into_iter().map(|name| out.join(name));
        let pictures = folder.path().join("pictures/");
        let mut command = pinhole();
        command.arg("decode").args(streams).arg("-o").arg(&pictures).args(["--format", "webp"]);
        command.assert().success();
        assert_eq!(names_in(&pictures), ["chelsea.webp", "coffee.webp", "rocket.webp"]);
    }

    #[test]
    fn one_bad_input_does_not_stop_the_others() {
        let folder = TempDir::new().unwrap();
        let junk = folder.path().join("junk.png");
        fs::write(&junk, b"junk").unwrap();
        let out = folder.path().join("out");
        let mut command = pinhole();
        command.arg("encode").args([&junk, &sample("chelsea.png")]).arg("-o").arg(&out);
        let lines = error_lines(&mut command, 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("pinhole: {}: ", junk.display())));
        assert_eq!(names_in(&out), ["chelsea.pin"]);
    }

    #[test]
    fn only_named_outputs_are_overwritten() {
        let folder = TempDir::new().unwrap();
        let input = folder.path().join("a.png");
        scene(64, 48).save(&input).unwrap();
        let stream = folder.path().join("a.pin");
        fs::write(&stream, b"precious").unwrap();

        assert_eq!(error_lines(pinhole().arg("encode").arg(&input), 1).len(), 1);
        assert_eq!(fs::read(&stream).unwrap(), b"precious");
        pinhole().arg("encode").arg(&input).arg("-f").assert().success();
        assert_ne!(fs::read(&stream).unwrap(), b"precious");
        fs::write(&stream, b"precious").unwrap();
        encode(&input, &stream, &[]);
        assert_ne!(fs::read(&stream).unwrap(), b"precious");

        // Decoding would put a.png over the original.
        assert_eq!(error_lines(pinhole().arg("decode").arg(&stream), 1).len(), 1);
        assert_eq!(names_in(folder.path()), ["a.pin", "a.png"]);
    }

    #[test]
    fn a_failed_decode_leaves_the_old_output() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        encode(&sample("chelsea.png"), &stream, &[]);
        let bytes = fs::read(&stream).unwrap();
        fs::write(&stream, &bytes[..bytes.len() / 2]).unwrap();
        let output = folder.path().join("a.png");
        fs::write(&output, b"old").unwrap();
        let lines = error_lines(pinhole().arg("decode").arg(&stream).arg("-o").arg(&output), 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(fs::read(&output).unwrap(), b"old");
        assert_eq!(names_in(folder.path()), ["a.pin", "a.png"]);
    }

    #[test]
    fn small_pictures_on_request() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("coffee.pin");
        encode(&sample("coffee.png"), &stream, &[]);
        for (scale, size) in [("1", (600, 400)), ("1/2", (300, 200)), ("1/8", (75, 50))] {
            let out = folder.path().join("small.png");
            decode(&stream, &out, &["-f", "--scale", scale]);
            assert_eq!(image::image_dimensions(&out).unwrap(), size);
        }
        let words = ["decode", "--scale", "1/3"];
        error_lines(pinhole().args(words).arg(&stream), 2);
    }

    #[test]
    fn damage_is_refused_or_concealed() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        encode(&sample("astronaut.png"), &stream, &["--chunk-rows", "128"]);
        let mut bytes = fs::read(&stream).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&stream, &bytes).unwrap();

        let output = folder.path().join("a.png");
        let lines = error_lines(pinhole().arg("decode").arg(&stream).arg("-o").arg(&output), 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!output.exists());

        decode(&stream, &output, &["--conceal"]);
        let mut command = pinhole();
        command.args(["compare", "--json"]).args([sample("astronaut.png"), output]);
        assert!(json(&mut command)["psnr"].as_f64().unwrap() > 10.0);
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        let lines = error_lines(pinhole().args(["decode", "-"]).write_stdin("junk"), 1);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("pinhole: standard input: "), "{lines:?}");
        assert_eq!(error_lines(pinhole().args(["decode", "-"]).write_stdin(""), 1).len(), 1);
        assert_eq!(error_lines(pinhole().args(["info", "-"]).write_stdin("junk"), 1).len(), 1);
    }

    #[test]
    fn target_sizes_are_kept_and_used() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        for target in [4_000u64, 12_000] {
            encode(&sample("coffee.png"), &stream, &["--target-bytes", &target.to_string()]);
            let bytes = fs::metadata(&stream).unwrap().len();
            assert!(bytes <= target && bytes > target * 9 / 10, "{bytes} of {target}");
        }
        encode(&sample("coffee.png"), &stream, &["--target-bpp", "0.4"]);
        let bytes = fs::metadata(&stream).unwrap().len();
        assert!((10_800..=12_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn too_many_pixels_are_refused() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        encode(&sample("coffee.png"), &stream, &[]);
        let mut command = pinhole();
        command.arg("decode").arg(&stream).args(["--max-pixels", "1000", "-o", "-"]);
        assert_eq!(error_lines(&mut command, 1).len(), 1);
    }

    #[test]
    fn info_tells_the_header() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        encode(&sample("deep-field.jpg"), &stream, &["-q", "40", "--chunk-rows", "256"]);
        let info = json(pinhole().args(["info", "--json"]).arg(&stream));
        assert_eq!((&info["width"], &info["height"]), (&1000.into(), &872.into()));
        assert_eq!(info["format"], "rgb8");
        assert_eq!(info["chunks"], 4);
        assert_eq!(info["bytes"], fs::metadata(&stream).unwrap().len());
        assert!(info["exif_bytes"].as_u64().unwrap() > 0);
        assert!(!info["latent_space"].as_str().unwrap().is_empty());
        let text = String::from_utf8(stdout(pinhole().arg("info").arg(&stream))).unwrap();
        assert!(text.contains("1000 x 872"));
    }

    #[test]
    fn exif_arrives_in_the_decoded_picture() {
        use image::ImageDecoder;
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        encode(&sample("deep-field.jpg"), &stream, &["-q", "10"]);
        let exif = |path: &Path| {
            let reader = image::ImageReader::open(path).unwrap();
            reader.into_decoder().unwrap().exif_metadata().unwrap()
        };
        for name in ["a.png", "a.jpg", "a.webp"] {
            let output = folder.path().join(name);
            decode(&stream, &output, &[]);
            assert_eq!(exif(&output), exif(&sample("deep-field.jpg")), "{name}");
        }
    }

    #[test]
    fn the_suffix_decides_the_format() {
        let folder = TempDir::new().unwrap();
        let stream = folder.path().join("a.pin");
        let input = folder.path().join("in.png");
        GrayImage::from_fn(40, 30, |x, y| image::Luma([(x * 5 + y) as u8])).save(&input).unwrap();
        encode(&input, &stream, &[]);
        for (name, format) in [
            ("a.png", ImageFormat::Png),
            ("a.jpg", ImageFormat::Jpeg),
            ("a.webp", ImageFormat::WebP),
            ("a.pgm", ImageFormat::Pnm),
        ] {
            let output = folder.path().join(name);
            decode(&stream, &output, &[]);
            let bytes = fs::read(&output).unwrap();
            assert_eq!(image::guess_format(&bytes).unwrap(), format);
        }
    }

    #[test]
    fn verbose_prints_a_line_for_each_file() {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out");
        let mut command = pinhole();
        command.arg("encode").args(["chelsea.png", "camera.png"].map(sample));
        let output = command.arg("-v").arg("-o").arg(&out).assert().success().get_output().clone();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| line.contains(" bpp, ") && line.contains("Mpixel/s")));
    }

    #[test]
    fn the_figure_shows_three_panels() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("figure.png");
        let words = ["--bpp", "0.3", "--crop-size", "200x150", "--out"];
        pinhole().arg("figure").arg(sample("coffee.png")).args(words).arg(&path).assert().success();
        let figure = image::open(&path).unwrap();
        assert!(figure.width() > 600 && figure.height() > 150);
        let words = ["--decoders", "lite,standard", "--crop-size", "100x80", "--zoom", "2"];
        pinhole()
            .args(["figure", "--bpp", "0.1"])
            .arg(sample("coffee.png"))
            .args(words)
            .arg("-o")
            .arg(&path)
            .assert()
            .success();
        let figure = image::open(&path).unwrap().into_rgb8();
        let panel = |number: u32| {
            image::imageops::crop_imm(&figure, 12 + number * 212, 12, 200, 160).to_image()
        };
        assert_eq!(figure.width(), 3 * 212 + 12);
        assert!(panel(1) != panel(2) && panel(0) != panel(2));
    }

    #[test]
    fn the_shipped_model_is_listed_and_described() {
        let list = json(pinhole().args(["model", "list", "--json"]));
        let info = json(pinhole().args(["model", "info", "--json"]));
        assert_eq!(list[0]["latent_space"], info["latent_space"]);
        assert!(!info["name"].as_str().unwrap().is_empty());
    }
}

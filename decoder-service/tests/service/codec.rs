//! Pictures in and out.

use pinhole::{Picture, PixelFormat};
use reqwest::Response;
use reqwest::multipart::{Form, Part};

use crate::bundles::{picture, samples, stream};
use crate::server::{Server, code, put};

const PHOTO: &[u8] = include_bytes!("../../../models/zoo/photo/photo.pinm");

/// Asks for the stream of a picture's bare samples.
async fn encode_samples(server: &Server, picture: &Picture, options: &str) -> Response {
    let (width, height) = (picture.width(), picture.height());
    let path = format!("/v1/encode?width={width}&height={height}&{options}");
    let request = server.client.post(format!("{}{path}", server.url));
    let request = request.header("content-type", "application/octet-stream");
    request.body(picture.data().to_vec()).send().await.unwrap()
}

#[tokio::test]
async fn streams_become_the_codecs_pictures_in_every_format() {
    let server = Server::start("");
    for format in [PixelFormat::Rgb8, PixelFormat::Gray8, PixelFormat::Rgba8] {
        let stream = stream(1, 70, format);
        let answer = server.raw(&stream).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-pinhole-width"], "70");
        assert_eq!(answer.headers()["x-pinhole-version"], "1");
        assert_eq!(answer.bytes().await.unwrap(), samples(&stream));

        let answer = server.post("/v1/decode", stream.clone()).await;
        assert_eq!(answer.headers()["content-type"], "image/png");
        let png = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(png.as_bytes(), samples(&stream));

        let small = server.post("/v1/decode?scale=1/8", stream.clone()).await;
        assert_eq!(small.headers()["x-pinhole-width"], "9");
    }
    let answer = server
        .client
        .post(format!("{}/v1/decode", server.url))
        .header("accept", "image/webp;q=0.5, image/jpeg")
        .body(stream(1, 70, PixelFormat::Rgb8))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert!(answer.bytes().await.unwrap().starts_with(b"\xff\xd8\xff"));
}

#[tokio::test]
async fn pictures_become_streams_and_come_back() {
    let server = Server::start("");
    let own = picture(3, 64, PixelFormat::Rgb8);
    let raw = encode_samples(&server, &own, "quality=80").await;
    assert_eq!(raw.status(), 200);
    assert_eq!(raw.headers()["content-type"], "image/x-pinhole");
    let stream = raw.bytes().await.unwrap();
    // A file of the same picture gives the same stream.
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::write_image(encoder, own.data(), 64, 64, image::ExtendedColorType::Rgb8)
        .unwrap();
    let again = server.post("/v1/encode?quality=80", png.clone()).await;
    assert_eq!(again.bytes().await.unwrap(), stream);
    assert_eq!(server.raw(&stream).await.bytes().await.unwrap(), samples(&stream));

    let bad = |path: &'static str, body: Vec<u8>| {
        let server = &server;
        async move { code(server.post(path, body).await).await }
    };
    assert_eq!(bad("/v1/encode?quality=101", png.clone()).await, (400, "bad_request".into()));
    assert_eq!(bad("/v1/encode?qualty=1", png.clone()).await, (400, "bad_request".into()));
    assert_eq!(bad("/v1/encode?effort=hard", png.clone()).await, (400, "bad_request".into()));
    assert_eq!(bad("/v1/encode?tune=film", png.clone()).await, (400, "bad_request".into()));
    assert_eq!(bad("/v1/encode?target_bytes=1", png.clone()).await, (422, "invalid".into()));
    assert_eq!(bad("/v1/encode", b"text".to_vec()).await, (415, "unsupported_type".into()));
    png.truncate(png.len() / 2);
    assert_eq!(bad("/v1/encode", png).await, (422, "invalid".into()));
}

/// The toy model knows one tune only.
#[tokio::test]
async fn tunes_are_those_of_the_codec() {
    let server = Server::with("", |models| put(models, 1, PHOTO));
    let bundle = pinhole::Bundle::parse(PHOTO).unwrap();
    let mut encoder = pinhole::Encoder::new(&bundle, 1).unwrap();
    let own = picture(3, 256, PixelFormat::Rgb8);
    let mut streams = Vec::new();
    for tune in pinhole::Tune::ALL {
        let answer = encode_samples(&server, &own, &format!("tune={tune}")).await;
        let mut options = pinhole::EncodeOptions::default();
        options.tune = tune;
        let stream = answer.bytes().await.unwrap();
        assert_eq!(stream, encoder.encode(&own, &options).unwrap());
        streams.push(stream);
    }
    assert_ne!(streams[0], streams[1]);
}

#[tokio::test]
async fn many_streams_are_answered_in_one_body() {
    let server = Server::start("");
    let streams: Vec<Vec<u8>> = (0..5).map(|i| stream(i, 40, PixelFormat::Gray8)).collect();
    let mut form = Form::new();
    for (i, stream) in streams.iter().enumerate() {
        // One that is none must not cost the others.
        let content = if i == 2 { b"none".to_vec() } else { stream.clone() };
        form = form.part(format!("s{i}"), Part::bytes(content));
    }
    let url = format!("{}/v1/decode", server.url);
    let request = server.client.post(url).multipart(form);
    let answer = request.header("accept", "application/octet-stream").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let media = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let boundary = media.strip_prefix("multipart/mixed; boundary=").unwrap().to_owned();
    let body = answer.bytes().await.unwrap();
    let mark = format!("--{boundary}");
    let starts: Vec<usize> =
        (0..body.len()).filter(|&at| body[at..].starts_with(mark.as_bytes())).collect();
    assert_eq!(starts.len(), 6);
    for (i, pair) in starts.windows(2).enumerate() {
        let part = &body[pair[0]..pair[1]];
        let head = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let content = &part[head + 4..part.len() - 2];
        let head = std::str::from_utf8(&part[..head]).unwrap();
        if i == 2 {
            assert!(head.contains("application/problem+json"), "{head}");
        } else {
            assert!(head.contains("x-pinhole-width: 40"), "{head}");
            assert_eq!(content, samples(&streams[i]));
        }
    }
}

#[tokio::test]
async fn equal_questions_come_from_the_cache() {
    let server = Server::start("");
    let stream = stream(9, 64, PixelFormat::Rgb8);
    let first = server.post("/v1/decode", stream.clone()).await;
    assert_eq!(first.headers()["x-pinhole-cache"], "miss");
    let tag = first.headers()["etag"].clone();
    let body = first.bytes().await.unwrap();
    let second = server.post("/v1/decode", stream.clone()).await;
    assert_eq!(second.headers()["x-pinhole-cache"], "hit");
    assert_eq!(second.bytes().await.unwrap(), body);
    let url = format!("{}/v1/decode", server.url);
    let third = server.client.post(url).header("if-none-match", tag).body(stream);
    assert_eq!(third.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn the_service_describes_itself() {
    let server = Server::start("");
    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert_eq!(server.json("/v1/info").await["models"][0], "toy");
    assert!(server.json("/openapi.json").await["paths"]["/v1/decode"].is_object());
    assert!(server.get("/docs/").await.text().await.unwrap().contains("swagger"));
    let page = server.get("/operator").await;
    assert!(page.headers().contains_key("content-security-policy"));
    let stream = stream(1, 64, PixelFormat::Rgb8);
    server.raw(&stream).await.bytes().await.unwrap();
    let operator = server.json("/v1/operator").await;
    assert_eq!(operator["models"][0]["champion"]["version"], 1);
    assert_eq!(operator["recent"][0]["bytes"], stream.len());
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("pinhole_decodes_total{model=\"toy\",version=\"1\",outcome=\"ok\"} 1"));
    assert!(text.contains("pinhole_model_role{model=\"toy\",version=\"1\",role=\"champion\"} 1"));
    assert_eq!(code(server.get("/v1/nothing").await).await, (404, "not_found".into()));
}

//! A float decoder that anyone can compute by hand, for tests: no trained one is needed, and none can go stale.
//!
//! Each latent position becomes three levels by a 1×1 convolution with float16 weights, each level a patch of 16×16
//! pixels by another, and depth-to-space puts the patches in place: the same operators as in real decoders.
#![forbid(unsafe_code)]

mod onnx;

use onnx::{Attribute, Graph, Model, Node, Tensor, ValueInfo};
use prost::Message;

const PATCH: usize = 16;

/// A decoder; different seeds draw differently.
#[derive(Clone, Copy, Debug)]
pub struct Toy {
    /// Channels of the latents.
    pub channels: usize,
    /// Which one.
    pub seed: usize,
}

impl Toy {
    /// Share of a latent channel in a colour: a multiple of 1/4, exact in float16.
    fn weight(self, colour: usize, channel: usize) -> f32 {
        let mixed = (colour * 31 + channel * 17 + self.seed * 7 + channel * channel % 13) % 23;
        (mixed as f32 - 11.0) / 4.0
    }

    /// How a level shows in a pixel of its patch.
    fn pattern(y: usize, x: usize) -> f32 {
        1.0 + (y as f32 - x as f32) / 64.0
    }

    /// The grey level of a pixel and colour, before rounding: `latents` are those of its position, 1/512 each.
    pub fn level(self, latents: &[i16], colour: usize, y: usize, x: usize) -> f64 {
        let terms = latents.iter().enumerate().map(|(channel, &latent)| {
            f64::from(self.weight(colour, channel)) * f64::from(latent) / 512.0
        });
        128.0 + terms.sum::<f64>() * f64::from(Self::pattern(y % PATCH, x % PATCH))
    }

    /// The graph, as a file.
    pub fn onnx(self) -> Vec<u8> {
        let weights = (0..3).flat_map(|c| (0..self.channels).map(move |m| self.weight(c, m)));
        let mut patches = Vec::new();
        for colour in 0..3 {
            for at in 0..PATCH * PATCH {
                let value = Self::pattern(at / PATCH, at % PATCH);
                patches.extend((0..3).map(|c| if c == colour { value } else { 0.0 }));
            }
        }
        let outputs = 3 * PATCH * PATCH;
        let initializer = vec![
            Tensor::halves("w16", &[3, self.channels, 1, 1], weights),
            Tensor::floats("patches", &[outputs, 3, 1, 1], patches),
            Tensor::floats("grey", &[outputs], vec![128.0; outputs]),
        ];
        let node = vec![
            Node::new("Cast", &["w16"], "w", vec![Attribute::int("to", 1)]),
            Node::new("Conv", &["latents", "w"], "levels", Vec::new()),
            Node::new("Conv", &["levels", "patches", "grey"], "deep", Vec::new()),
            Node::new(
                "DepthToSpace",
                &["deep"],
                "picture",
                vec![Attribute::int("blocksize", PATCH as i64), Attribute::text("mode", "CRD")],
            ),
        ];
        let input = ValueInfo::floats("latents", &["n", "", "rows", "columns"], self.channels);
        let output = ValueInfo::floats("picture", &["n", "", "height", "width"], 3);
        let graph = Graph {
            node,
            name: "toy".into(),
            initializer,
            input: vec![input],
            output: vec![output],
        };
        Model::new(graph).encode_to_vec()
    }
}

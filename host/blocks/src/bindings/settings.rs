//! The part of a component's metadata that the block itself reads: sizes, the direction, and the route.

use super::Features;
use crate::{Error, Result, opening::take};
use std::str::FromStr;
use wythe_manifest::{ByteSize, Component as Manifest};

/// Bytes of data in either direction, unless the component says otherwise by `maxDataBytes`.
const DEFAULT: u64 = 4 << 20;
const LARGEST: u64 = 64 << 20;

/// The settings of one component, checked against what its driver can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub max_bytes: u64,
    pub input: bool,
    pub output: bool,
    /// Dapr's `route`: where an app sorts by it, it is in the metadata of what is delivered.
    pub route: Option<String>,
}

/// The settings that a component has in writing, before its driver is known.
pub(crate) struct Written {
    max_bytes: u64,
    direction: Option<Direction>,
    route: Option<String>,
}

/// Dapr's `direction`.
#[derive(Clone, Copy)]
struct Direction {
    input: bool,
    output: bool,
}

impl FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        let known = |part: &&str| ["input", "output"].contains(part);
        match parts.iter().all(known) {
            true => Ok(Direction {
                input: parts.contains(&"input"),
                output: parts.contains(&"output"),
            }),
            false => Err(format!(
                "`{text}`; expected `input`, `output` or `input, output`"
            )),
        }
    }
}

impl Written {
    /// Takes the block's keys out, so that the driver gets only its own.
    pub fn take(component: &mut Manifest) -> Result<Self> {
        let max_bytes = take::<ByteSize>(component, "maxDataBytes")?.map_or(DEFAULT, |size| size.0);
        if !(1..=LARGEST).contains(&max_bytes) {
            return Err(Error::invalid(format!(
                "`maxDataBytes: {max_bytes}`; expected 1 to {LARGEST} bytes"
            ))
            .at(&component.position_of("maxDataBytes")));
        }
        let direction = take::<Direction>(component, "direction")?;
        let route = component.metadata.take("route");
        Ok(Written {
            max_bytes,
            direction,
            route: route.map(|route| route.reveal().to_owned()),
        })
    }

    /// A direction that the driver does not have is an error, and so is a route where nothing is delivered.
    pub fn check(self, component: &Manifest, features: &Features) -> Result<Settings> {
        let (input, output) = (features.input, !features.operations.is_empty());
        let wanted = self.direction.unwrap_or(Direction { input, output });
        for (word, wanted, has) in [
            ("input", wanted.input, input),
            ("output", wanted.output, output),
        ] {
            if wanted && !has {
                return Err(Error::invalid(format!(
                    "`direction` has `{word}`, which driver `{}` is not",
                    component.kind()
                )));
            }
        }
        if self.route.is_some() && !wanted.input {
            return Err(Error::invalid(format!(
                "`route` has no effect: driver `{}` delivers nothing here; remove it",
                component.kind()
            )));
        }
        Ok(Settings {
            max_bytes: self.max_bytes,
            input: wanted.input,
            output: wanted.output,
            route: self.route,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn settings(metadata: &str, features: &Features) -> Result<Settings, String> {
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: b }}\n\
             spec: {{ type: bindings.x, version: v1, metadata: [{metadata}] }}\n"
        );
        let (resources, problems) = wythe_manifest::parse_resources(&text, Path::new("b.yaml"));
        assert!(problems.is_empty(), "{problems}");
        let mut component = resources.components[0].clone();
        let written = Written::take(&mut component);
        let settings = written.and_then(|written| written.check(&component, features));
        settings.map_err(|error| error.message().to_owned())
    }

    fn both() -> Features {
        Features {
            operations: vec!["create".into()],
            input: true,
            redelivers: true,
            secrets: false,
        }
    }

    #[test]
    fn what_is_not_written_is_what_the_driver_can() {
        let settings = settings("", &both()).unwrap();
        let expected = Settings {
            max_bytes: 4 << 20,
            input: true,
            output: true,
            route: None,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_direction_narrows() {
        let settings = settings("{ name: direction, value: output }", &both()).unwrap();
        assert!(settings.output && !settings.input);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let output = Features {
            input: false,
            ..both()
        };
        for (metadata, expected) in [
            (
                "{ name: direction, value: input }",
                "`direction` has `input`, which driver `bindings.x` is not",
            ),
            (
                "{ name: direction, value: up }",
                "direction: `up`; expected `input`, `output` or `input, output`",
            ),
            (
                "{ name: route, value: /a }",
                "`route` has no effect: driver `bindings.x` delivers nothing here; remove it",
            ),
            (
                "{ name: maxDataBytes, value: 65MiB }",
                "`maxDataBytes: 68157440`; expected 1 to 67108864 bytes",
            ),
            (
                "{ name: maxDataBytes, value: much }",
                "maxDataBytes: a size such as `64MiB`, `512k` or a number of bytes",
            ),
        ] {
            assert_eq!(settings(metadata, &output).unwrap_err(), expected);
        }
    }
}

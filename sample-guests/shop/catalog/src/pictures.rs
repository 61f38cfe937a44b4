//! A picture for each product that the shop was built with, and one for those that came later.

/// A drawing of 120 by 120 on a ground of this colour.
macro_rules! picture {
    ($ground:literal, $drawing:literal) => {
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120"><rect width="120" height="120" fill=""#,
            $ground,
            r#""/>"#,
            $drawing,
            "</svg>"
        )
    };
}

/// An SVG document.
pub fn of(product: &str) -> &'static str {
    match product {
        "trowel" => picture!(
            "#f3e3d3",
            r##"<path d="M22 88 60 30l22 22z" fill="#8d9aa5"/><path d="m71 41 10-10" stroke="#5b6770" stroke-width="5"/><path d="m79 33 20-20" stroke="#a8652d" stroke-width="12" stroke-linecap="round"/>"##
        ),
        "brick" => picture!(
            "#e4ebe6",
            r##"<path d="m18 62 46-20 40 16-46 22z" fill="#c96a4a"/><path d="M18 62v22l40 18V80z" fill="#a84f33"/><path d="M58 80v22l46-22V58z" fill="#8c3f28"/>"##
        ),
        "plumb" => picture!(
            "#e3e8f1",
            r##"<path d="M60 8v40" stroke="#55606e" stroke-width="3"/><path d="M52 48h16v8H52z" fill="#a9822a"/><path d="M42 56h36l-6 24-12 28-12-28z" fill="#d2a63c"/><path d="M60 56v52l12-28 6-24z" fill="#b98c2b"/>"##
        ),
        "level" => picture!(
            "#efe9da",
            r##"<rect x="8" y="46" width="104" height="28" rx="3" fill="#b9824a"/><rect x="42" y="52" width="36" height="16" rx="8" fill="#d5ec6c"/><ellipse cx="61" cy="59" rx="8" ry="5" fill="#f6ffd0"/><path d="M52 52v16m16-16v16" stroke="#4d5a16" stroke-width="2"/>"##
        ),
        "twine" => picture!(
            "#e6eef0",
            r##"<rect x="34" y="18" width="52" height="14" rx="4" fill="#9a6a3c"/><rect x="34" y="88" width="52" height="14" rx="4" fill="#9a6a3c"/><rect x="40" y="32" width="40" height="56" fill="#e2559a"/><path d="m40 42 40-6m-40 18 40-6m-40 18 40-6m-40 18 40-6m-40 16 40-6" stroke="#b93676" stroke-width="2"/>"##
        ),
        "chisel" => picture!(
            "#ece6ee",
            r##"<path d="M54 14h12v64H54z" fill="#6c7680"/><path d="M54 78h12l4 28H50z" fill="#a9b4bd"/><path d="M60 78h6l4 28H60z" fill="#8794a0"/><ellipse cx="60" cy="34" rx="24" ry="8" fill="#d9662b"/>"##
        ),
        "gloves" => picture!(
            "#dfe9e2",
            r##"<path d="M40 104V58l-12-14c-4-6 3-11 8-6l10 11V24c0-8 10-8 10 0v20h3V18c0-8 10-8 10 0v26h3V24c0-8 10-8 10 0v24h2V34c0-7 9-7 9 0v40c0 12-6 18-8 30z" fill="#cfa063"/><path d="M40 90h46" stroke="#7d5a2c" stroke-width="4"/>"##
        ),
        "bucket" => picture!(
            "#f1e9dd",
            r##"<path d="M28 44c0-40 64-40 64 0" fill="none" stroke="#77808a" stroke-width="4"/><path d="M24 44h72l-10 62H34z" fill="#333a42"/><ellipse cx="60" cy="44" rx="36" ry="10" fill="#59626c"/><ellipse cx="60" cy="46" rx="29" ry="7" fill="#c9c3b6"/>"##
        ),
        "flask" => picture!(
            "#e2ecf0",
            r##"<rect x="42" y="38" width="36" height="70" rx="8" fill="#2f6f73"/><path d="M44 18h32v16c0 4-32 4-32 0z" fill="#c9d2d6"/><rect x="42" y="58" width="36" height="20" fill="#f2c14e"/><path d="M50 10c0-6 6-4 4-10m12 10c0-6 6-4 4-10" stroke="#9fb3bb" stroke-width="3" fill="none"/>"##
        ),
        _ => picture!(
            "#ece8e1",
            r##"<path d="m24 46 36-16 36 16v36L60 98 24 82z" fill="#c9b79c"/><path d="m24 46 36 16 36-16M60 62v36" stroke="#8d7a5c" stroke-width="3" fill="none"/>"##
        ),
    }
}

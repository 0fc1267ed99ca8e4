//! The frame of every page: head, skip link, masthead with search, main part, foot.

use super::html::Html;
use crate::config::VaultInfo;

/// Frames `main`; `query` fills the search box.
pub(super) fn page(vault: &VaultInfo, title: &str, query: &str, main: &Html) -> Html {
    let mut html = Html::default();
    html.raw(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>",
    )
    .text(title)
    .raw(" · ")
    .text(&vault.name)
    .raw(
        "</title>\n<link rel=\"icon\" href=\"/assets/crucible.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/assets/crucible.css\">\n\
         <script src=\"/assets/live.js\" defer></script>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to content</a>\n",
    );
    masthead(&mut html, vault, query);
    html.raw("<main id=\"main\" tabindex=\"-1\">\n")
        .part(main)
        .raw("</main>\n<footer>Crucible ")
        .raw(env!("CARGO_PKG_VERSION"))
        .raw(" · <span dir=\"ltr\">")
        .text(&vault.path.to_string_lossy())
        .raw("</span></footer>\n</body>\n</html>\n");
    html
}

fn masthead(html: &mut Html, vault: &VaultInfo, query: &str) {
    html.raw("<header class=\"masthead\">\n<a class=\"brand\" href=\"/\">")
        .raw("<img src=\"/assets/crucible.svg\" alt=\"\" width=\"28\" height=\"28\"><span>")
        .text(&vault.name)
        .raw("</span></a>\n<form role=\"search\" action=\"/search\" method=\"get\">\n")
        .raw("<label class=\"unseen\" for=\"q\">Search notes</label>\n")
        .raw("<input id=\"q\" name=\"q\" type=\"search\" placeholder=\"Search notes\"")
        .raw(" autocomplete=\"off\"")
        .attribute("value", query)
        .raw(">\n<button type=\"submit\">Search</button>\n</form>\n</header>\n");
}

//! Pictures of a vault in the pages of its notes, and what is asked for with bad intent.

use serde_json::json;

use super::browser::Tab;
use super::it::harness::eventually;
use super::serve;

/// One more byte than is handed over.
const TOO_LARGE: usize = 16 * 1024 * 1024 + 1;

const NOTE: &str = "# Pictures

![[crumb.png]]
![A slice](../images/crumb.png)
![[crumb.png|120]]
![[crumb.png|100x50]]

![[scoring.svg]] ![[out.png]] ![far](https://evil.example/x.png) ![up](../../secret.png) ![[Home]]
";

pub(crate) fn are_shown_and_nothing_else_is(tab: &mut Tab) {
    let (place, mut daemon, origin) = serve(tab);
    let secret = place.write("../secret.png", "secret");
    place.write(
        "images/trap.png",
        "<!doctype html><script>pwned = 1</script>",
    );
    place.write("images/huge.png", vec![0; TOO_LARGE]);
    #[cfg(unix)]
    {
        let folder = secret.parent().unwrap();
        std::os::unix::fs::symlink(&secret, place.vault().join("images/out.png")).unwrap();
        std::os::unix::fs::symlink(folder, place.vault().join("outside")).unwrap();
    }
    place.write(".hidden/a.png", "hidden");
    place.write("Tests/Pictures.md", NOTE);
    daemon.wait_found("\"Pictures\"", &["Tests/Pictures.md"]);

    tab.go(&format!("{origin}/note/Tests/Pictures.md"));
    tab.until("[...document.images].every((one) => one.complete)");
    let shown = "[...document.querySelectorAll('.prose img')].map((one) => \
        [one.getAttribute('src'), one.alt, one.naturalWidth > 0, one.getAttribute('width'), one.getAttribute('height')])";
    let crumb = "/attachment/images/crumb.png";
    let expected = json!([
        [crumb, "crumb.png", true, null, null],
        [crumb, "A slice", true, null, null],
        [crumb, "crumb.png", true, "120", null],
        [crumb, "crumb.png", true, "100", "50"],
        // A link that leads out of the vault: the name is known, the file is not handed over.
        ["/attachment/images/out.png", "out.png", false, null, null],
    ]);
    assert_eq!(tab.eval(shown), expected);

    let status = |tab: &mut Tab, path: &str, more: &str| {
        tab.eval(&format!(
            "fetch('/attachment/{path}'{more}).then((answer) => answer.status)"
        ))
    };
    // The index has seen everything by now; a file that it left out never comes.
    eventually("the picture that is none", || {
        (status(tab, "images/trap.png", "") == 200).then_some(())
    });
    assert_eq!(status(tab, "images/crumb.png", ""), 200);
    assert_eq!(
        status(tab, "images/crumb.png", ", { credentials: 'omit' }"),
        401
    );
    assert_eq!(status(tab, "images/huge.png", ""), 400);
    for hostile in [
        "..%2Fsecret.png",
        "images%2F..%2F..%2Fsecret.png",
        "%2E%2E%2Fsecret.png",
        "..%5Csecret.png",
        "%2Fetc%2Fpasswd",
        "%2Fsecret.png",
        "images/out.png",
        "outside/secret.png",
        ".hidden/a.png",
        "images/scoring.svg",
        "Home.md",
        "images/CRUMB.png",
        "images/crumb.png%00.png",
        "images/./crumb.png%2F",
    ] {
        assert_eq!(status(tab, hostile, ""), 404, "{hostile}");
    }

    // Something else under the name of a picture: it is never a page.
    let headers = "fetch('/attachment/images/trap.png').then((answer) => ['content-type', 'x-content-type-options', 'content-security-policy'].map((name) => answer.headers.get(name)))";
    assert_eq!(
        tab.eval(headers),
        json!(["image/png", "nosniff", "default-src 'none'; sandbox"])
    );
    tab.go(&format!("{origin}/attachment/images/trap.png"));
    assert_eq!(tab.eval("typeof window.pwned"), "undefined");
}

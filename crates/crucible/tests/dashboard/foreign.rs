//! A web site elsewhere: one page that tries to use the daemon behind its visitor's back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Serves a page that attacks `daemon`, for as long as the test runs; returns where.
pub(crate) fn serve(daemon: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let page = include_str!("foreign.html").replace("DAEMON", &daemon.to_string());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let page = page.clone();
            // A browser opens connections that it may never use: none waits for another.
            std::thread::spawn(move || answer(stream, &page));
        }
    });
    address
}

fn answer(stream: TcpStream, page: &str) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        page.len()
    );
    // A visitor that has left hears nothing.
    let _heard = reader
        .get_mut()
        .write_all(format!("{head}{page}").as_bytes());
}

//! The proxy before a server that says everything back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// A server that says everything back, and what it has heard.
fn echo() -> (u16, std::sync::mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, heard) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, send) = (stream.unwrap(), send.clone());
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(many) = stream.read(&mut buffer)
                    && many > 0
                {
                    let _ = send.send(buffer[..many].to_vec());
                    let _ = stream.write_all(&buffer[..many]);
                }
            });
        }
    });
    (port, heard)
}

fn call(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn say(stream: &mut TcpStream, what: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(what)?;
    let mut answer = vec![0; what.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn is_broken(outcome: std::io::Result<Vec<u8>>) -> bool {
    let broken = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
    outcome.is_err_and(|error| broken.contains(&error.kind()))
}

#[test]
fn nothing_is_changed_as_long_as_nothing_is_asked() {
    let proxy = Proxy::to(echo().0).unwrap();
    let mut stream = call(&proxy);
    assert_eq!(say(&mut stream, b"good morning").unwrap(), b"good morning");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "a good-bye is passed on");
    assert_eq!(proxy.seen(), Seen { connections: 1, resets: 0, commits_lost: 0 });
}

#[test]
fn each_way_is_late_by_as_much_as_it_is_told() {
    let proxy = Proxy::to(echo().0).unwrap();
    let mut stream = call(&proxy);
    proxy.road(Way::Up, Road { delay: Duration::from_millis(80), ..Road::default() });
    proxy.road(Way::Down, Road { delay: Duration::from_millis(60), ..Road::default() });
    let began = Instant::now();
    say(&mut stream, b"late").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(140));
}

#[test]
fn a_narrow_road_takes_its_time() {
    let proxy = Proxy::to(echo().0).unwrap();
    let mut stream = call(&proxy);
    proxy.road(Way::Down, Road { bytes_per_second: 10_000, ..Road::default() });
    let began = Instant::now();
    (0..3).for_each(|_| drop(say(&mut stream, &[7; 1000]).unwrap()));
    assert!(began.elapsed() >= Duration::from_millis(200), "the third thousand waits for the first two");
}

#[test]
fn one_way_can_be_closed_while_the_other_is_open_and_nothing_is_lost() {
    let (port, heard) = echo();
    let proxy = Proxy::to(port).unwrap();
    let mut stream = call(&proxy);
    proxy.road(Way::Down, Road { closed: true, ..Road::default() });
    stream.write_all(b"hello?").unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), b"hello?", "the server hears");
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let silence = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "and nobody hears the server");
    proxy.heal();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello?");
}

#[test]
fn everybody_is_cut_off_at_once_and_may_come_again() {
    let proxy = Proxy::to(echo().0).unwrap();
    let (mut one, mut other) = (call(&proxy), call(&proxy));
    say(&mut one, b"one").unwrap();
    say(&mut other, b"other").unwrap();
    proxy.cut();
    assert!(is_broken(say(&mut one, b"still there?")));
    assert!(is_broken(say(&mut other, b"still there?")));
    assert_eq!(say(&mut call(&proxy), b"again").unwrap(), b"again");
}

#[test]
fn whoever_comes_is_refused_and_whoever_is_here_stays() {
    let proxy = Proxy::to(echo().0).unwrap();
    let mut here = call(&proxy);
    say(&mut here, b"here").unwrap();
    proxy.refuse();
    assert!(is_broken(say(&mut call(&proxy), b"let me in")));
    assert_eq!(say(&mut here, b"still").unwrap(), b"still");
    proxy.heal();
    assert_eq!(say(&mut call(&proxy), b"let me in").unwrap(), b"let me in");
}

#[test]
fn a_connection_is_cut_after_the_byte_that_was_named() {
    let proxy = Proxy::to(echo().0).unwrap();
    let mut stream = call(&proxy);
    say(&mut stream, b"before").unwrap();
    proxy.cut_after(Way::Down, 10);
    stream.write_all(b"0123456789abcdef").unwrap();
    let mut answer = vec![];
    let end = stream.read_to_end(&mut answer).unwrap_err();
    assert_eq!((answer.as_slice(), end.kind()), (&b"0123456789"[..], ErrorKind::ConnectionReset));
    assert_eq!(say(&mut call(&proxy), b"once, and only once").unwrap(), b"once, and only once");
}

#[test]
fn a_commit_is_heard_by_the_server_and_its_answer_by_nobody() {
    let (port, heard) = echo();
    let proxy = Proxy::to(port).unwrap();
    proxy.lose_commits(Lost::Answer, 1);
    let mut stream = call(&proxy);
    say(&mut stream, b"Q\0\0\0\x0aBEGIN\0").unwrap();
    heard.recv_timeout(PATIENCE).unwrap();
    assert!(is_broken(say(&mut stream, COMMIT)));
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), COMMIT);
    assert_eq!(proxy.seen().commits_lost, 1);
    assert_eq!(say(&mut call(&proxy), COMMIT).unwrap(), COMMIT, "the one after it goes well");
}

#[test]
fn a_commit_is_lost_before_the_server_hears_of_it() {
    let (port, heard) = echo();
    let proxy = Proxy::to(port).unwrap();
    proxy.lose_commits(Lost::Question, 1);
    assert!(is_broken(say(&mut call(&proxy), COMMIT)));
    say(&mut call(&proxy), b"somebody else").unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), b"somebody else");
}

#[test]
fn a_server_that_is_not_there_breaks_the_connection_at_once() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let proxy = Proxy::to(nobody).unwrap();
    assert!(is_broken(say(&mut call(&proxy), b"is anybody there?")));
}

//! Workers that die or lie, daemons that die or lie, and the pool that goes on.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_script::pool::WorkerPool;
use crucible_script::protocol::{FromWorker, HostError, Level, PROTOCOL, Sandbox, encode};
use crucible_script::worker::{HostCalls, Worker, WorkerCommand};
use crucible_services::script::Error;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::support::{MemoryHost, command, main_of, script};

/// Kills the worker when a script asks for something.
struct Killer(Arc<WorkerPool>);

#[async_trait]
impl HostCalls for Killer {
    async fn host_call(&self, _: &str, _: Vec<Value>) -> Result<Value, HostError> {
        let pid = self.0.status().workers[0].pid;
        kill_process(pid_of(pid), Signal::KILL).unwrap();
        Ok(json!(1))
    }

    fn log(&self, _: Level, _: &str) {}
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

async fn gone(pid: u32) {
    let wait = async {
        while test_kill_process(pid_of(pid)).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("the worker is gone");
}

#[tokio::test]
async fn a_worker_killed_in_a_call_is_told_with_its_signal_and_replaced() {
    let pool = Arc::new(WorkerPool::new(command(), 1));
    let text = "pub fn main() { clock::now()?; 1 }";
    let killed = pool.call(main_of(text), &Killer(Arc::clone(&pool))).await;
    let Err(Error::Failed(message)) = killed else {
        panic!("{killed:?}");
    };
    assert!(message.contains("signal 9 (SIGKILL"), "{message}");
    assert!(message.contains("while test::main ran"), "{message}");

    let host = MemoryHost::default();
    let done = pool.call(main_of("pub fn main() { 2 }"), &host);
    assert_eq!(done.await.unwrap().value, json!(2));
    let status = pool.status();
    assert_eq!(
        (status.started, status.deaths, status.workers.len()),
        (2, 1, 1)
    );
    assert!(status.last_death.unwrap().contains("SIGKILL"));
    pool.shutdown().await;
    gone(status.workers[0].pid).await;
}

#[tokio::test]
async fn a_worker_killed_while_idle_costs_no_call() {
    let pool = WorkerPool::new(command(), 1);
    let host = MemoryHost::default();
    let text = "pub fn main() { 1 }";
    pool.call(main_of(text), &host).await.unwrap();
    let pid = pool.status().workers[0].pid;
    kill_process(pid_of(pid), Signal::KILL).unwrap();
    // It may not be dead yet when the next call looks; then that call tells of it.
    let next = pool.call(main_of(text), &host).await;
    if let Err(error) = next {
        assert!(error.to_string().contains("SIGKILL"), "{error}");
        pool.call(main_of(text), &host).await.unwrap();
    }
    assert_eq!(pool.status().deaths, 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_takes_its_worker_with_it() {
    let pool = WorkerPool::new(command(), 1);
    let host = MemoryHost::default();
    pool.call(main_of("pub fn main() {}"), &host).await.unwrap();
    let pid = pool.status().workers[0].pid;
    let endless = main_of("pub fn main() { loop { clock::now()?; } }");
    tokio::select! {
        done = pool.call(endless, &host) => panic!("{done:?}"),
        () = async { while host.asked.lock().unwrap().is_empty() { tokio::task::yield_now().await } } => {}
    }
    gone(pid).await;
    assert!(pool.status().workers.is_empty());
    pool.call(main_of("pub fn main() {}"), &host).await.unwrap();
}

#[tokio::test]
async fn more_calls_than_workers_wait_their_turn() {
    let pool = WorkerPool::new(command(), 2);
    let host = MemoryHost::default();
    let calls = (0..8).map(|_| pool.call(main_of("pub fn main() { 5 }"), &host));
    for done in futures_util::future::join_all(calls).await {
        assert_eq!(done.unwrap().value, json!(5));
    }
    assert!(pool.status().started <= 2);
    pool.forget("test").await;
    assert_eq!(
        pool.check(&script("pub fn a() {}"))
            .await
            .unwrap()
            .functions
            .len(),
        1
    );
}

#[tokio::test]
async fn a_pool_that_was_shut_down_refuses() {
    let pool = WorkerPool::new(command(), 1);
    pool.shutdown().await;
    let host = MemoryHost::default();
    let refused = pool.call(main_of("pub fn main() {}"), &host);
    assert!(matches!(refused.await, Err(Error::Unavailable(_))));
}

fn shell(script: &str) -> WorkerCommand {
    WorkerCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    }
}

#[tokio::test]
async fn programs_that_are_no_workers_are_refused_with_why() {
    for (what, expected) in [
        ("exit 3", "exit code 3"),
        ("echo gone wrong >&2; exit 1", "saying \"gone wrong\""),
        ("echo hello, I am no worker at all", "longer than the limit"),
        ("printf '\\002\\000\\000\\000{}'", "cannot be read"),
        (
            "printf '\\006\\000\\000\\000\"Pong\"'",
            "did not begin with a greeting",
        ),
    ] {
        let error = Worker::start(&shell(what)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
    let missing = WorkerCommand {
        program: "/no/such/program".into(),
        args: vec![],
    };
    let error = Worker::start(&missing).await.unwrap_err().to_string();
    assert!(
        error.contains("/no/such/program") && error.contains("cannot start"),
        "{error}"
    );
}

#[tokio::test]
async fn garbage_from_a_worker_ends_it_and_not_us() {
    let folder = tempfile::tempdir().unwrap();
    let hello = encode(&FromWorker::Hello {
        protocol: PROTOCOL,
        sandbox: Sandbox::default(),
    });
    let stray = encode(&FromWorker::Done {
        call: 77,
        outcome: Ok(json!(1)),
        used: Default::default(),
    });
    for (name, garbage) in [
        ("length", u32::MAX.to_le_bytes().to_vec()),
        ("text", b"\x05\0\0\0abcde".to_vec()),
        (
            "nested",
            [&(4_000_000_u32.to_le_bytes())[..], &b"[".repeat(4_000_000)].concat(),
        ),
        ("order", stray.unwrap()),
        ("half", b"\xff\0\0\0half a frame".to_vec()),
    ] {
        let path = folder.path().join(name);
        let mut said = hello.as_ref().unwrap().clone();
        said.extend(garbage);
        std::fs::write(&path, said).unwrap();
        // It greets, sends its garbage, and then reads whatever comes.
        let lie = format!("cat {}; exec /bin/cat >/dev/null", path.display());
        let lie = if name == "half" {
            format!("cat {}", path.display())
        } else {
            lie
        };
        let mut worker = Worker::start(&shell(&lie)).await.unwrap();
        let error = worker.load(&script("pub fn main() {}")).await.unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{name}: {error:?}");
        assert!(!worker.is_usable(), "{name}");
        gone(worker.pid()).await;
    }
}

#[test]
fn garbage_from_a_daemon_ends_the_worker_with_a_reason() {
    for garbage in [&b"\xff\xff\xff\xff"[..], b"\x03\0\0\0abc", b"\x02\0\0\0[]"] {
        let mut child = Command::new(command().program)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(garbage).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(70));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("the daemon sent garbage"), "{told}");
    }
}

#[test]
fn a_worker_ends_when_the_pipe_is_closed() {
    let mut child = Command::new(command().program)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut header = [0; 4];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut header)
        .unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// A daemon that is killed with a script in native code on its hands, which notices nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_daemon_leaves_no_worker() {
    use crucible_script::protocol::{Call, ToWorker};
    use crucible_services::script::Budget;

    let program = command().program;
    // The shell stands for the daemon: it is the worker's parent, and not the one that holds the
    // other end of the pipe, so that the worker does not end for want of input.
    let mut daemon = Command::new("/bin/sh")
        .args(["-c", "exec 3<&0; \"$0\" <&3 & echo $! >&2; wait"])
        .arg(&program)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    let mut stderr = std::io::BufReader::new(daemon.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut pid).unwrap();
    let pid: u32 = pid.trim().parse().unwrap();

    let text = "pub fn main() { log::info(\"on\"); (0..100_000_000_000).iter().sum::<i64>() }";
    let stdin = daemon.stdin.as_mut().unwrap();
    let load = encode(&ToWorker::Load(script(text))).unwrap();
    stdin.write_all(&load).unwrap();
    let call = encode(&ToWorker::Call(Call {
        call: 1,
        script: "test".to_owned(),
        function: "main".to_owned(),
        arguments: vec![],
        budget: Budget::default(),
    }));
    stdin.write_all(&call.unwrap()).unwrap();
    let mut heard = String::new();
    let stdout = daemon.stdout.as_mut().unwrap();
    while !heard.contains("\"on\"") {
        let mut some = [0; 512];
        let read = stdout.read(&mut some).unwrap();
        assert!(read > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    test_kill_process(pid_of(pid)).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    gone(pid).await;
}

//! XML-RPC over supervisord's unix socket.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dxr::{Fault, FaultResponse, MethodCall, MethodResponse, Value};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use tokio::net::UnixStream;

use super::state::Process;
use crate::http;

/// supervisord does everything in one thread, and is quick even so.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: usize = 16 << 20;

/// Why supervisord did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum RpcError {
    /// Nobody listens.
    #[error("it does not run")]
    Absent(#[source] io::Error),
    /// Its socket cannot be used.
    #[error("cannot connect to it")]
    Unreachable(#[source] io::Error),
    /// It took the request, and no answer came.
    #[error("it did not answer {method} within {} s", PATIENCE.as_secs())]
    Silent { method: &'static str },
    /// It refused.
    #[error("{}", .0.string())]
    Fault(Fault),
    /// It broke off, or said something that nobody understands.
    #[error("its answer to {method} cannot be read")]
    Unreadable { method: &'static str, source: Box<dyn Error + Send + Sync> },
}

impl RpcError {
    /// Whether this user may not talk to it.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, RpcError::Unreachable(source) if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether it refused for the reason with this number.
    pub(super) fn is(&self, fault: i32) -> bool {
        matches!(self, RpcError::Fault(refusal) if refusal.code() == fault)
    }
}

/// supervisord's reasons to refuse.
pub(super) mod fault {
    pub(in super::super) const SHUTDOWN_STATE: i32 = 6;
    pub(in super::super) const BAD_NAME: i32 = 10;
    pub(in super::super) const FAILED: i32 = 30;
    pub(in super::super) const ALREADY_STARTED: i32 = 60;
    pub(in super::super) const NOT_RUNNING: i32 = 70;
    pub(in super::super) const ALREADY_ADDED: i32 = 90;
    pub(in super::super) const STILL_RUNNING: i32 = 91;
}

/// A supervisord, by its socket.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    pub(super) socket: PathBuf,
}

impl Rpc {
    /// Asks for nothing but an answer.
    pub(super) async fn ping(&self) -> Result<(), RpcError> {
        self.call("supervisor.getState", vec![]).await.map(|_| ())
    }

    /// The first number of its version.
    pub(super) async fn version(&self) -> Result<u32, RpcError> {
        let method = "supervisor.getSupervisorVersion";
        let answer = self.call(method, vec![]).await?;
        let number = match &answer {
            Value::String(version) => version.split('.').next().and_then(|major| major.parse().ok()),
            _ => None,
        };
        number.ok_or_else(|| RpcError::Unreadable { method, source: format!("{answer:?}").into() })
    }

    /// Every program that it knows.
    pub(super) async fn processes(&self) -> Result<Vec<Process>, RpcError> {
        let method = "supervisor.getAllProcessInfo";
        let answer = self.call(method, vec![]).await?;
        let processes = match &answer {
            Value::Array(processes) => processes.iter().map(process).collect(),
            _ => None,
        };
        processes.ok_or_else(|| RpcError::Unreadable { method, source: format!("{answer:?}").into() })
    }

    /// Makes it read its files again; this alone changes nothing that runs.
    pub(super) async fn reload(&self) -> Result<(), RpcError> {
        self.call("supervisor.reloadConfig", vec![]).await.map(|_| ())
    }

    /// Takes over a program from its files.
    pub(super) async fn add(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.addProcessGroup", vec![text(program)]).await.map(|_| ())
    }

    /// Forgets a program that has ended.
    pub(super) async fn remove(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.removeProcessGroup", vec![text(program)]).await.map(|_| ())
    }

    /// Starts a program and does not wait for it.
    pub(super) async fn start(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.startProcess", vec![text(program), Value::Boolean(false)]).await.map(|_| ())
    }

    /// Asks a program to end and does not wait for it.
    pub(super) async fn stop(&self, program: &str) -> Result<(), RpcError> {
        self.call("supervisor.stopProcess", vec![text(program), Value::Boolean(false)]).await.map(|_| ())
    }

    /// Sends a signal, such as `INT`, to a program's process.
    pub(super) async fn signal(&self, program: &str, signal: &str) -> Result<(), RpcError> {
        self.call("supervisor.signalProcess", vec![text(program), text(signal)]).await.map(|_| ())
    }

    /// Asks it to end itself.
    pub(super) async fn shut_down(&self) -> Result<(), RpcError> {
        self.call("supervisor.shutdown", vec![]).await.map(|_| ())
    }

    async fn call(&self, method: &'static str, params: Vec<Value>) -> Result<Value, RpcError> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(method, params)).await;
        answer.unwrap_or(Err(RpcError::Silent { method }))
    }

    async fn exchange(&self, method: &'static str, params: Vec<Value>) -> Result<Value, RpcError> {
        let unreadable = |source| RpcError::Unreadable { method, source };
        let request = request(method, params).map_err(unreadable)?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => RpcError::Absent(error),
            _ => RpcError::Unreachable(error),
        })?;
        let (status, body) =
            http::send(stream, request, ANSWER_LIMIT).await.map_err(|error| unreadable(error.into()))?;
        read_answer(status, &String::from_utf8_lossy(&body), unreadable)
    }
}

fn request(method: &str, params: Vec<Value>) -> Result<Request<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let call = MethodCall { name: method.into(), params }.to_xml()?;
    let request = Request::post("/RPC2").header(HOST, "localhost").header(CONTENT_TYPE, "text/xml");
    Ok(request.body(Full::from(call))?)
}

fn read_answer(
    status: StatusCode,
    body: &str,
    unreadable: impl Fn(Box<dyn Error + Send + Sync>) -> RpcError,
) -> Result<Value, RpcError> {
    if status != StatusCode::OK {
        return Err(unreadable(format!("status {status}").into()));
    }
    if let Ok(refusal) = FaultResponse::from_xml(body) {
        return Err(RpcError::Fault(refusal.fault));
    }
    MethodResponse::from_xml(body).map(|answer| answer.value).map_err(|error| unreadable(error.into()))
}

fn process(info: &Value) -> Option<Process> {
    let Value::Struct(info) = info else { return None };
    let Value::String(name) = info.get("name")? else { return None };
    Some(Process {
        name: name.clone(),
        state: number(info, "state")?.into(),
        pid: u32::try_from(number(info, "pid")?).ok().filter(|pid| *pid != 0),
        exit_code: number(info, "exitstatus")?,
        spawn_error: match info.get("spawnerr") {
            Some(Value::String(error)) => error.clone(),
            _ => String::new(),
        },
    })
}

fn number(info: &BTreeMap<String, Value>, key: &str) -> Option<i32> {
    match info.get(key)? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Result<Value, RpcError> {
        read_answer(StatusCode::OK, body, |source| RpcError::Unreadable { method: "test", source })
    }

    #[test]
    fn a_fault_is_told_from_an_answer() {
        let fault = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
                     <value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
                     <value><string>BAD_NAME: web</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n";
        let error = answer(fault).unwrap_err();
        assert!(error.is(fault::BAD_NAME) && !error.is(fault::NOT_RUNNING));
        assert_eq!(error.to_string(), "BAD_NAME: web");
        let truth = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n\
                     <value><boolean>1</boolean></value></param>\n</params>\n</methodResponse>\n";
        assert_eq!(answer(truth).unwrap(), Value::Boolean(true));
        assert!(matches!(answer("<html>"), Err(RpcError::Unreadable { .. })));
    }
}

//! The uwsgi protocol, which uWSGI speaks on a plain `socket`: the request is a packet of CGI
//! variables, the answer is plain HTTP.

use hyper::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::http::Failure;

/// As many bytes of headers as anybody sends.
const HEADERS_LIMIT: usize = 16 * 1024;

/// Sends `request` over `stream`, and gives the status and the first `limit` bytes of the body.
pub(crate) async fn send<S, B>(
    mut stream: S,
    request: &Request<B>,
    limit: usize,
) -> Result<(StatusCode, Vec<u8>), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&packet(&variables(request))?).await?;
    let mut answer = Vec::new();
    stream.take((HEADERS_LIMIT + limit) as u64).read_to_end(&mut answer).await?;
    let (status, mut body) = parse(&answer).ok_or("what came is no HTTP")?;
    body.truncate(limit);
    Ok((status, body))
}

/// What WSGI wants to know of a GET request.
fn variables<B>(request: &Request<B>) -> Vec<(String, String)> {
    let uri = request.uri();
    let mut variables: Vec<(String, String)> = [
        ("REQUEST_METHOD", request.method().as_str()),
        ("REQUEST_URI", uri.path_and_query().map_or("/", |both| both.as_str())),
        ("PATH_INFO", uri.path()),
        ("QUERY_STRING", uri.query().unwrap_or_default()),
        ("SCRIPT_NAME", ""),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in request.headers() {
        let name = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
        variables.push((name, String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    variables
}

/// `0, length, 0`, then each name and value after its own length; lengths are of two bytes, lower first.
fn packet(variables: &[(String, String)]) -> Result<Vec<u8>, Failure> {
    let length = |length: usize| u16::try_from(length).map(u16::to_le_bytes);
    let mut body = Vec::new();
    for text in variables.iter().flat_map(|(name, value)| [name, value]) {
        body.extend(length(text.len())?);
        body.extend(text.as_bytes());
    }
    let [low, high] = length(body.len())?;
    Ok([vec![0, low, high, 0], body].concat())
}

/// The status and the body of an answer that ends with its connection.
fn parse(answer: &[u8]) -> Option<(StatusCode, Vec<u8>)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = answer.strip_prefix(b"HTTP/1.")?;
    let status = StatusCode::from_bytes(head.get(2..5)?).ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;

    #[test]
    fn a_packet_counts_its_bytes() {
        let variables = [("A".to_owned(), "bcd".to_owned()), ("EMPTY".to_owned(), String::new())];
        let expected = [b"\0\x11\0\0".as_slice(), b"\x01\0A\x03\0bcd", b"\x05\0EMPTY\0\0"].concat();
        assert_eq!(packet(&variables).unwrap(), expected);
        assert_eq!(packet(&[("X".repeat(256), String::new())]).unwrap()[..6], [0, 4, 1, 0, 0, 1]);
        packet(&[("X".repeat(70_000), String::new())]).unwrap_err();
    }

    #[test]
    fn a_request_becomes_variables() {
        let request = Request::get("/health/z?full=1").header("Host", "shop.example").header("X-A-B", "c");
        let variables = variables(&request.body(()).unwrap());
        for (name, value) in [
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/health/z?full=1"),
            ("PATH_INFO", "/health/z"),
            ("QUERY_STRING", "full=1"),
            ("HTTP_HOST", "shop.example"),
            ("HTTP_X_A_B", "c"),
        ] {
            assert!(variables.contains(&(name.to_owned(), value.to_owned())), "{name} in {variables:?}");
        }
    }

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let parsed = |text: &str| parse(text.as_bytes()).map(|(status, body)| (status.as_u16(), body));
        assert_eq!(parsed("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nx"), Some((404, b"x".to_vec())));
        assert_eq!(parsed("HTTP/1.0 200 OK\r\n\r\n"), Some((200, Vec::new())));
        for wrong in ["", "HTTP/1.1 200 OK\r\n", "hello\r\n\r\n", "HTTP/1.1 2\r\n\r\n"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn no_more_than_the_beginning_of_a_page_is_given() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
        theirs.shutdown().await.unwrap();
        let request = Request::get("/").body(()).unwrap();
        let answer = send(ours, &request, 4).await.unwrap();
        assert_eq!(answer, (StatusCode::OK, b"hell".to_vec()));
        let mut asked = [0; 4];
        theirs.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked[0], 0);
    }
}

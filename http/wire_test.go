package http

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange sends bytes as they are and reads n answers.
func exchange(t *testing.T, s *Server, sent string, n int) []reply {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	half, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatal("no TCP")
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	var out []reply
	for range n {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("after %d answers: %v", len(out), err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, reply{status: res.StatusCode, header: res.Header, body: string(body)})
	}
	return out
}

const hostLine = "Host: localhost\r\n"

// request is a request of HTTP/1.1.
func request(method, target, headers, body string) string {
	return method + " " + target + " HTTP/1.1\r\n" + hostLine + headers + "\r\n" + body
}

// What these requests get was compared with a real server.
func TestRequestsOnTheWire(t *testing.T) {
	const search, jsonType = "/indexes/films/search", "Content-Type: application/json\r\n"
	s := start(t, newFakeDoor(), nil)
	for name, q := range map[string]struct {
		sent   string
		status int
		body   string
	}{
		"HTTP/1.0":                         {"GET /health HTTP/1.0\r\n\r\n", 200, `{"status":"available"}`},
		"HTTP/1.0 with a body":             {"POST " + search + " HTTP/1.0\r\n" + jsonType + "Content-Length: 2\r\n\r\n{}", 200, `{"hits":[]}`},
		"chunks":                           {request("POST", search, jsonType+"Transfer-Encoding: chunked\r\n", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), 200, `{"hits":[]}`},
		"chunks with a trailer":            {request("POST", search, jsonType+"Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX-A: b\r\n\r\n"), 200, `{"hits":[]}`},
		"chunks that end early":            {request("POST", search, jsonType+"Transfer-Encoding: chunked\r\n", "5\r\n{}"), 400, "Error that occur during reading payload: payload reached EOF before completing: None"},
		"a body that ends early":           {request("POST", search, jsonType+"Content-Length: 100\r\n", "{}"), 400, "Error that occur during reading payload: payload reached EOF before completing: None"},
		"documents that end early":         {request("POST", "/indexes/films/documents", jsonType+"Content-Length: 100\r\n", "[]"), 400, "The provided payload is incomplete and cannot be parsed"},
		"two lengths":                      {request("POST", search, jsonType+"Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), 400, ""},
		"a negative length":                {request("POST", search, jsonType+"Content-Length: -2\r\n", "{}"), 400, ""},
		"a body where none belongs":        {request("GET", "/health", "Content-Length: 5\r\n", "hello"), 200, `{"status":"available"}`},
		"an absolute target":               {request("GET", "http://localhost/health", "", ""), 200, `{"status":"available"}`},
		"the options of the server":        {request("OPTIONS", "*", "", ""), 404, ""},
		"a method in small letters":        {request("get", "/health", "", ""), 405, ""},
		"HEAD":                             {request("HEAD", "/health", "Connection: close\r\n", ""), 405, ""},
		"escaped letters of a route":       {request("GET", "/%69ndexes/fil%6ds", "", ""), 200, `{"uid":"films"`},
		"an escaped slash in a route":      {request("GET", "/indexes%2Ffilms", "", ""), 404, ""},
		"an escaped slash in a uid":        {request("GET", "/indexes/a%2Fb", "", ""), 400, "`a/b` is not a valid index uid."},
		"a uid that is no UTF-8":           {request("GET", "/indexes/%FF", "", ""), 400, "`\uFFFD` is not a valid index uid."},
		"many slashes":                     {request("GET", "///indexes//films///", "", ""), 200, `{"uid":"films"`},
		"dots":                             {request("GET", "/indexes/../health", "", ""), 404, ""},
		"a large header":                   {request("GET", "/health", "X-A: "+strings.Repeat("a", 120_000)+"\r\n", ""), 200, `{"status":"available"}`},
		"a header that is too large":       {request("GET", "/health", "X-A: "+strings.Repeat("a", 200_000)+"\r\n", ""), 431, ""},
		"a long query":                     {request("GET", search+"?q="+strings.Repeat("a", 60_000), "", ""), 200, `{"hits":[]}`},
		"a preflight of an unknown method": {request("OPTIONS", search, "Origin: http://a\r\nAccess-Control-Request-Method: LOCK\r\n", ""), 400, "Requested method is not allowed"},
		"a preflight of no method":         {request("OPTIONS", search, "Origin: http://a\r\nAccess-Control-Request-Method: LOCK IT\r\n", ""), 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := exchange(t, s, q.sent, 1)[0]
			if ok := strings.Contains(unquoted(r.body), q.body) && (q.body != "" || r.status == 431 || r.header.Get("Content-Type") != "application/json"); r.status != q.status || !ok {
				t.Errorf("got %d %.300s, want %d %s", r.status, r.body, q.status, q.body)
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	get := request("GET", "/health", "", "")
	for _, r := range exchange(t, s, get+get+request("GET", "/nope", "", "")+"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"+get, 5) {
		if r.status != 200 && r.status != 404 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

func TestAClientMayWaitForLeaveToSend(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, request("POST", "/indexes/films/search", "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n", ""))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "{}")
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("%v, %v", res, err)
	}
}

// What does not decode is refused in the words of the decoder that a server has.
func TestBodiesThatDoNotDecode(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(`{"q":"a"}`)) // a buffer takes everything
	_ = z.Close()
	s := start(t, newFakeDoor(), nil)
	const before = "Error that occur during reading payload: payload reached EOF before completing: Some(Custom { kind: "
	for _, q := range []struct{ encoding, body, want string }{
		{"gzip", `{"q":"a"}  `, before + `InvalidInput, error: "invalid gzip header" })`},
		{"gzip", packed.String()[:packed.Len()-6], before + `InvalidInput, error: "corrupt gzip stream does not have a matching checksum" })`},
		{"gzip", packed.String()[:5], before + `InvalidInput, error: "corrupt gzip stream does not have a matching checksum" })`},
		{"deflate", `{"q":"a"}`, before + `InvalidInput, error: "corrupt deflate stream" })`},
		{"br", `{"q":"a"}`, before + `InvalidData, error: "Invalid Data" })`},
	} {
		headers := append([]string{"Content-Encoding", q.encoding}, asJSON...)
		if r := send(t, s, "POST", "/indexes/films/search", q.body, headers...); r.status != 400 || r.code(t) != "bad_request" || !strings.Contains(unquoted(r.body), `"message":"`+q.want) {
			t.Errorf("%s is %d %s", q.encoding, r.status, r.body)
		}
		if r := send(t, s, "POST", "/indexes/films/documents", q.body, headers...); r.status != 400 || !strings.Contains(r.body, "The provided payload is incomplete and cannot be parsed") {
			t.Errorf("%s of documents is %d %s", q.encoding, r.status, r.body)
		}
	}
}

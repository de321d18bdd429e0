package nodeclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, o Options) Client {
	t.Helper()
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// server answers each connection with script; it counts the requests.
func server(t *testing.T, script func(nth int64, c net.Conn, r *http.Request)) (string, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, r.Body) // the rest of the request
				nth := requests.Add(1)
				script(nth, conn, r)
				if nth == 1 {
					continue // kept for one more request
				}
				break
			}
			_ = conn.Close() // the test looks at the other end
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String(), &requests
}

const plainOK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func TestAPooledConnectionThatTurnsOutClosedIsTriedAgainForReadsOnly(t *testing.T) {
	for name, c := range map[string]struct {
		req      *Request
		requests int64
		ok       bool
	}{
		"a read":             {&Request{Method: "GET", Path: "/a", Idempotent: true}, 3, true},
		"a read with a body": {&Request{Method: "POST", Path: "/a", Body: []byte(`{"q":"x"}`), Idempotent: true}, 3, true},
		"a write":            {&Request{Method: "POST", Path: "/a", Body: []byte(`[]`)}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			address, requests := server(t, func(nth int64, conn net.Conn, r *http.Request) {
				if len(r.Header.Values("Idempotency-Key")) > 0 {
					t.Error("the mark for net/http went over the wire")
				}
				if nth != 2 { // the second request meets a connection that closes
					_, _ = io.WriteString(conn, plainOK)
				}
			})
			cl := newClient(t, Options{})
			if _, err := cl.Do(t.Context(), address, &Request{Method: "GET", Path: "/first"}); err != nil {
				t.Fatal(err)
			}
			resp, err := cl.Do(t.Context(), address, c.req)
			if (err == nil) != c.ok || c.ok && !resp.OK() {
				t.Errorf("%v, %v", resp, err)
			}
			if !c.ok {
				var ce *Error
				if !errors.As(err, &ce) || !ce.Sent {
					t.Errorf("a write that may have arrived: %+v", err)
				}
			}
			if got := requests.Load(); got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
		})
	}
}

func TestWhatSurelyDidNotArriveIsNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	cl := newClient(t, Options{DialTimeout: 200 * time.Millisecond})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		address string
		path    string
	}{
		"nobody listens":     {t.Context(), closed, "/x"},
		"no such host":       {t.Context(), "http://nowhere.invalid", "/x"},
		"not an address":     {t.Context(), "http://[", "/x"},
		"a path that is bad": {t.Context(), closed, "/%zz"},
	} {
		_, err := cl.Do(c.ctx, c.address, &Request{Method: "POST", Path: c.path, Body: []byte("[]")})
		var ce *Error
		if !errors.As(err, &ce) || ce.Sent || ce.Method != "POST" || errors.Unwrap(err) == nil || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if _, err := cl.Do(gone, closed, &Request{Method: "GET", Path: "/x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("gone: %v", err)
	}
}

func TestAnswersAreReadWholeAndBounded(t *testing.T) {
	const limit = 1000
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		size    int
		tooBig  bool
	}{
		"with a length":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 900)) }, 900, false},
		"exactly the limit":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, limit)) }, limit, false},
		"a length too great":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, limit+1)) }, 0, true},
		"in pieces":             {pieces(3, 300), 900, false},
		"in pieces, the limit":  {pieces(2, limit/2), limit, false},
		"in pieces, too great":  {pieces(5, 300), 0, true},
		"nothing":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 0, false},
		"an error is an answer": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); _, _ = w.Write([]byte("no")) }, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.handler)
			defer s.Close()
			resp, err := newClient(t, Options{MaxAnswer: limit}).Do(t.Context(), s.URL, &Request{Method: "GET", Path: "/"})
			if c.tooBig {
				var ce *Error
				if !errors.Is(err, ErrAnswerTooLarge) || !errors.As(err, &ce) || !ce.Sent {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || len(resp.Body) != c.size {
				t.Errorf("%v, %v", resp, err)
			}
		})
	}
}

func pieces(n, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for range n {
			_, _ = w.Write(make([]byte, size))
			w.(http.Flusher).Flush() //nolint:forcetypeassert // the test server's
		}
	}
}

func TestAnAnswerThatIsCutOffIsAnError(t *testing.T) {
	address, _ := server(t, func(_ int64, conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}")
		_ = conn.Close()
	})
	_, err := newClient(t, Options{}).Do(t.Context(), address, &Request{Method: "POST", Path: "/x"})
	var ce *Error
	if !errors.As(err, &ce) || !ce.Sent {
		t.Errorf("%+v", err)
	}
}

type text string

func (b text) Open() io.Reader { return strings.NewReader(string(b)) }
func (b text) Len() int64      { return int64(len(b)) }

func TestWhatIsSent(t *testing.T) {
	type seen struct {
		length            int64
		chunked           bool
		body, kind, token string
	}
	var got seen
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.ContentLength, len(r.TransferEncoding) > 0, string(body), r.Header.Get("Content-Type"), r.Header.Get("Authorization")}
	}))
	defer s.Close()
	large := strings.Repeat("x", 300_000)
	for name, c := range map[string]struct {
		key  string
		req  Request
		want seen
	}{
		"nothing":        {"", Request{Method: "GET", Path: "/"}, seen{}},
		"a body":         {"k", Request{Method: "POST", Path: "/", Body: []byte("[1]"), ContentType: "application/json"}, seen{3, false, "[1]", "application/json", "Bearer k"}},
		"an empty body":  {"", Request{Method: "POST", Path: "/", Body: []byte{}}, seen{}},
		"a stream":       {"k", Request{Method: "PUT", Path: "/", Stream: text(large), ContentType: "application/x-ndjson"}, seen{300_000, false, large, "application/x-ndjson", "Bearer k"}},
		"an idempotent":  {"k", Request{Method: "POST", Path: "/", Body: []byte("{}"), Idempotent: true}, seen{2, false, "{}", "", "Bearer k"}},
		"another method": {"", Request{Method: "DELETE", Path: "/a?b=c"}, seen{}},
	} {
		req := c.req
		cl := newClient(t, Options{Key: c.key})
		for range 2 { // the same request can be sent again
			if _, err := cl.Do(t.Context(), s.URL, &req); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got != c.want {
				t.Errorf("%s: %.200v", name, got)
			}
		}
		cl.Close()
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer s.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := newClient(t, Options{}).Do(ctx, s.URL, &Request{Method: "GET", Path: "/", Idempotent: true})
	var ce *Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &ce) || !ce.Sent {
		t.Errorf("%+v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnotherTransportTakesThePlaceOfTheNetwork(t *testing.T) {
	c := New(Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 202, ContentLength: -1, Body: io.NopCloser(bytes.NewReader([]byte(r.URL.Path)))}, nil
	})})
	defer c.Close()
	resp, err := c.Do(t.Context(), "http://anywhere", &Request{Method: "GET", Path: "/p"})
	if err != nil || resp.Status != 202 || !resp.OK() || string(resp.Body) != "/p" {
		t.Errorf("%+v %v", resp, err)
	}
}

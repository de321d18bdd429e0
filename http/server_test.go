package http

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/messages"
)

func TestCORSAllowsEverything(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	r := send(t, s, "OPTIONS", "/indexes/films/search", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,content-type")
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization,content-type", "Access-Control-Max-Age": "86400"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.status != 200 || r.body != "" || !strings.Contains(r.header.Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Errorf("preflight is %d %q %v", r.status, r.body, r.header)
	}
	for _, path := range []string{"/health", "/indexes/none", "/nope"} {
		if r = send(t, s, "GET", path, "", "Origin", "https://shop.example"); r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s does not allow the origin", path)
		}
	}
	if r = send(t, s, "GET", "/health", ""); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a request without origin got a CORS header")
	}
	if got := r.header.Values("Vary"); len(got) != 2 || !strings.HasPrefix(got[0], "Origin, ") || got[1] != "Accept-Encoding" {
		t.Errorf("answers vary by %q", got)
	}
}

func TestRequestBodiesAreDecoded(t *testing.T) {
	const plain = `[{"id":1,"title":"Metropolis"}]`
	pack := func(w func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		z := w(&b)
		if _, err := io.WriteString(z, plain); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	zipped := pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	bare := pack(func(w io.Writer) io.WriteCloser {
		z, err := flate.NewWriter(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		return z
	})
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxBody = int64(len(plain)) })
	for encoding, body := range map[string]string{"gzip": zipped, "GZIP": zipped, "deflate": pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }),
		"Deflate": bare, "br": pack(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }), "identity": plain} {
		door.writes = nil
		r := send(t, s, "POST", "/indexes/films/documents", body, append([]string{"Content-Encoding", encoding}, asJSON...)...)
		if r.status != 202 || len(door.writes) != 1 {
			t.Errorf("%s: %d %s", encoding, r.status, r.body)
			continue
		}
		if m, ok := door.writes[0].(*messages.AddDocuments); !ok || string(m.Payload) != plain {
			t.Errorf("%s: the door got %s", encoding, m.Payload)
		}
	}
	t.Run("the limit counts decoded bytes", func(t *testing.T) {
		tight := start(t, door, func(o *Options) { o.MaxBody = int64(len(plain)) - 1 })
		if r := send(t, tight, "POST", "/indexes/films/documents", zipped, append([]string{"Content-Encoding", "gzip"}, asJSON...)...); r.status != 413 || r.code(t) != "payload_too_large" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
	t.Run("a body cut short", func(t *testing.T) {
		if r := send(t, s, "POST", "/indexes/films/documents", zipped[:len(zipped)-9], append([]string{"Content-Encoding", "gzip"}, asJSON...)...); r.status != 400 || r.code(t) != "bad_request" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
}

// chunked hides the length of a body.
type chunked struct{ io.Reader }

func TestABodyOfUnknownLengthIsReadWholeAndLimited(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxBody = 100_000 })
	post := func(size int) int {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr()+"/indexes/films/documents", chunked{strings.NewReader(strings.Repeat("x", size))})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only the status matters
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	for size, want := range map[int]int{1: 202, 4096: 202, 4097: 202, 100_000: 202, 100_001: 413, 200_000: 413} {
		door.writes = nil
		if got := post(size); got != want {
			t.Errorf("%d bytes are answered %d, want %d", size, got, want)
		}
		if want == 202 {
			if m, ok := door.writes[0].(*messages.AddDocuments); !ok || len(m.Payload) != size {
				t.Errorf("the door got %d of %d bytes", len(m.Payload), size)
			}
		}
	}
	if held := s.bodies.Load(); held != 0 {
		t.Errorf("%d bytes are still counted as held", held)
	}
}

func TestAllBodiesTogetherAreLimited(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxBodies = 100 })
	r := send(t, s, "POST", "/indexes/films/documents", strings.Repeat("x", 101), asJSON...)
	if r.status != 503 || r.code(t) != "miroir_overloaded" || r.header.Get("Retry-After") == "" || door.called() != 0 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r = send(t, s, "POST", "/indexes/films/documents", strings.Repeat("x", 100), asJSON...); r.status != 202 {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

func TestAnswersAreCompressedAsTheClientLikes(t *testing.T) {
	long := `{"hits":["` + strings.Repeat("metropolis ", 500) + `"]}`
	door := newFakeDoor()
	s := start(t, door, nil)
	open := map[string]func(io.Reader) (io.Reader, error){
		"":        func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"deflate": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	}
	for _, tc := range []struct{ accept, body, want string }{
		{"gzip", long, "gzip"}, {"br", long, "br"}, {"deflate", long, "deflate"}, {"gzip, deflate, br", long, "gzip"},
		{"gzip;q=0.5, br;q=0.9", long, "br"}, {"gzip;q=0, *", long, "br"}, {"*", long, "gzip"}, {"identity", long, ""}, {"zstd", long, ""},
		{"gzip;q=0", long, ""}, {"GZIP ; q=1.0", long, "gzip"}, {"gzip;q=x", long, ""},
		// a client that asked for a coding may rely on it
		{"gzip", `{"hits":[]}`, "gzip"}, {"br", `{"hits":[]}`, "br"}, {"deflate", `{"hits":[]}`, "deflate"}, {"identity", `{"hits":[]}`, ""},
		{"gzip", long[:1024], "gzip"}, {"br", long[:1024], "br"}, {"deflate", long[:1025], "deflate"},
	} {
		for range 2 { // the second time with a used encoder
			door.answer = func(context.Context, any) *messages.Answer { return &messages.Answer{Body: []byte(tc.body)} }
			r := send(t, s, "POST", "/indexes/films/search", `{}`, append([]string{"Accept-Encoding", tc.accept}, asJSON...)...)
			if got := r.header.Get("Content-Encoding"); got != tc.want {
				t.Errorf("%s gives %q, want %q", tc.accept, got, tc.want)
				continue
			}
			plain, err := open[tc.want](strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			if out, err := io.ReadAll(plain); err != nil || string(out) != tc.body {
				t.Errorf("%s: the body does not come back: %v", tc.accept, err)
			}
		}
	}
}

func TestRequestIDs(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	if got := send(t, s, "GET", "/health", "", "X-Request-Id", "abc-1.2_3").header.Get("X-Request-Id"); got != "abc-1.2_3" {
		t.Errorf("a client's id became %q", got)
	}
	seen := map[string]bool{}
	for _, sent := range []string{"", "a b", strings.Repeat("x", 129), `"x"`} {
		var headers []string
		if sent != "" {
			headers = []string{"X-Request-Id", sent}
		}
		got := send(t, s, "GET", "/nope", "", headers...).header.Get("X-Request-Id")
		if len(got) != 16 || seen[got] {
			t.Errorf("%q became %q", sent, got)
		}
		seen[got] = true
	}
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// lines waits for n log lines, because they are written after the answer.
func (l *lockedBuffer) lines(t *testing.T, n int) []map[string]any {
	t.Helper()
	var out []map[string]any
	eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		out = nil
		for line := range strings.Lines(l.b.String()) {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			out = append(out, v)
		}
		return len(out) >= n
	})
	return out
}

// eventually polls cond until it holds; it fails the test after five seconds.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}

func logTo(b io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(b)
	log.SetFormatter(&logrus.JSONFormatter{})
	return log
}

func TestEveryRequestIsOneLogLineWithoutKeys(t *testing.T) {
	var out lockedBuffer
	door := newFakeDoor()
	door.answer = func(context.Context, any) *messages.Answer {
		return &messages.Answer{Body: []byte(`{}`), Nodes: 3, Degraded: "shards=7"}
	}
	s := start(t, door, func(o *Options) {
		o.Logger, o.LogRequests, o.Keys = logTo(&out), true, NewStaticKeys("secret-secret-secret", "")
	})
	send(t, s, "POST", "/indexes/films/search", `{"q":"x"}`, append([]string{"Authorization", "Bearer secret-secret-secret", "X-Request-Id", "r1"}, asJSON...)...)
	line := out.lines(t, 1)[0]
	for name, want := range map[string]any{"method": "POST", "route": "/indexes/:index/search", "status": 200.0, "request_id": "r1", "nodes": 3.0, "degraded": "shards=7", "level": "info"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if _, ok := line["duration_ms"].(float64); !ok {
		t.Errorf("duration is %v", line["duration_ms"])
	}
	send(t, s, "GET", "/nope/films", "")
	if line = out.lines(t, 2)[1]; line["route"] != "unknown" || line["status"] != 404.0 {
		t.Errorf("an unknown route is logged as %v", line)
	}
	if strings.Contains(out.b.String(), "secret") {
		t.Error("a key was logged")
	}
}

func TestAPanicIsAnInternalErrorAndLoggedWithItsStack(t *testing.T) {
	var out lockedBuffer
	door := newFakeDoor()
	door.answer = func(context.Context, any) *messages.Answer { panic("boom") }
	s := start(t, door, func(o *Options) { o.Logger = logTo(&out) })
	for range 2 {
		if r := send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...); r.status != 500 || r.code(t) != "internal" || strings.Contains(r.body, "boom") {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	line := out.lines(t, 2)[0]
	if line["panic"] != "boom" || !strings.Contains(line["stack"].(string), "searchPost") {
		t.Errorf("logged %v", line)
	}
	if !strings.Contains(send(t, s, "GET", "/_miroir/metrics", "").body, "miroir_http_panics_total 2") {
		t.Error("panics are not counted")
	}
	if len(s.places) != 0 {
		t.Errorf("%d places are still taken", len(s.places))
	}
}

// held is a door whose reads wait until they are let go.
func held(door *fakeDoor) (entered chan struct{}, letGo func()) {
	entered, gate := make(chan struct{}, 64), make(chan struct{})
	door.answer = func(ctx context.Context, _ any) *messages.Answer {
		entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return &messages.Answer{Body: []byte(`{}`)}
	}
	return entered, sync.OnceFunc(func() { close(gate) })
}

func TestTooManyRequestsWaitABoundedTime(t *testing.T) {
	door := newFakeDoor()
	entered, letGo := held(door)
	defer letGo()
	s := start(t, door, func(o *Options) { o.MaxConcurrent, o.MaxWait = 1, time.Millisecond })
	first := make(chan int, 1)
	go func() { first <- send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...).status }()
	<-entered
	r := send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...)
	if r.status != 503 || r.code(t) != "miroir_overloaded" || r.header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s", r.status, r.body)
	}
	for _, path := range []string{"/health", "/_miroir/ready", "/_miroir/topology", "/_miroir/metrics"} {
		if r := send(t, s, "GET", path, ""); r.status != 200 {
			t.Errorf("%s is %d while the proxy is full", path, r.status)
		}
	}
	letGo()
	if status := <-first; status != 200 {
		t.Errorf("the first request got %d", status)
	}
	if r = send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...); r.status != 200 {
		t.Errorf("afterwards requests get %d", r.status)
	}
}

func TestShutdownLetsRunningRequestsEnd(t *testing.T) {
	door := newFakeDoor()
	entered, letGo := held(door)
	s := start(t, door, func(o *Options) { o.MetricsAddr = "127.0.0.1:0" })
	got := make(chan int, 1)
	go func() { got <- send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...).status }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	eventually(t, func() bool {
		resp, err := http.Get("http://" + s.MetricsAddr() + "/ready") //nolint:noctx // a probe
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // only the status matters
		return resp.StatusCode == 503
	})
	eventually(t, func() bool {
		resp, err := http.Get("http://" + s.Addr() + "/health") //nolint:noctx // a probe
		if err == nil {
			err = resp.Body.Close()
			return err != nil
		}
		return true
	})
	letGo()
	if status := <-got; status != 200 {
		t.Errorf("the running request got %d", status)
	}
	if err := <-stopped; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestShutdownCutsWhatIsTooSlow(t *testing.T) {
	door := newFakeDoor()
	entered, letGo := held(door)
	defer letGo()
	s := New(Options{Door: door, Addr: "127.0.0.1:0"})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr()+"/indexes/films/search", strings.NewReader("{}"))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				err = errors.Join(errors.New("it was answered"), resp.Body.Close())
			} else {
				err = nil
			}
		}
		gone <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown says %v", err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestReadiness(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MetricsAddr = "127.0.0.1:0" })
	side := func(path string) (int, string) {
		resp, err := http.Get("http://" + s.MetricsAddr() + path) //nolint:noctx // a probe
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was read to its end
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(out)
	}
	if status, body := side("/ready"); status != 200 || body != `{"status":"ready"}` {
		t.Errorf("ready is %d %s", status, body)
	}
	door.ready = errors.New(`shard 3 of "films" has no copy`)
	for _, get := range []func() (int, string){func() (int, string) { return side("/ready") }, func() (int, string) {
		r := send(t, s, "GET", "/_miroir/ready", "")
		return r.status, r.body
	}} {
		if status, body := get(); status != 503 || body != `{"status":"not ready","reason":"shard 3 of \"films\" has no copy"}` {
			t.Errorf("ready is %d %s", status, body)
		}
	}
	if status, body := side("/metrics"); status != 200 || !strings.Contains(body, `miroir_http_requests_total{method="GET",route="/_miroir/ready",status="5xx"} 1`) {
		t.Errorf("metrics are %d %s", status, body)
	}
	if status, _ := side("/indexes"); status != 404 {
		t.Errorf("the metrics listener serves the API: %d", status)
	}
}

func TestAdminRoutes(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	if r := send(t, s, "GET", "/_miroir/topology", ""); r.status != 200 || !strings.HasPrefix(r.body, `{"version":1,"shards":64,"replicationFactor":1,"degraded":false,"groups":[{"id":0,"nodes":[{"id":"a0","address":"http://a:7700","state":"ready",`) {
		t.Errorf("topology is %d %s", r.status, r.body)
	}
	var v statsView
	r := send(t, s, "GET", "/admin/stats", "")
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || !v.Ready || v.Nodes["ready"] != 1 || v.Nodes["broken"] != 1 || v.Behind != 2 || v.Indexes != 2 || string(v.Stats) != `{"hits":[]}` {
		t.Errorf("stats are %s, %v", r.body, err)
	}
	if r = send(t, s, "POST", "/_miroir/dev/nodes/a0/stop", ""); r.status != 404 {
		t.Errorf("nodes can be stopped outside dev: %d", r.status)
	}
}

// twoNodes is a NodeSwitch that knows a0 and cannot start a1.
type twoNodes struct{ stopped []string }

func (n *twoNodes) StopNode(id string) (bool, error) {
	n.stopped = append(n.stopped, id)
	return id == "a0", nil
}

func (*twoNodes) StartNode(id string) (bool, error) { return true, errors.New("port taken by " + id) }

func TestNodesOfADevelopmentFleetCanBeSwitched(t *testing.T) {
	nodes := &twoNodes{}
	s := start(t, newFakeDoor(), func(o *Options) { o.Nodes = nodes })
	if r := send(t, s, "POST", "/_miroir/dev/nodes/a0/stop", ""); r.status != 200 || r.body != `{"node":"a0","status":"stopped"}` {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := send(t, s, "POST", "/_miroir/dev/nodes/x/stop", ""); r.status != 404 || r.code(t) != "bad_request" {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := send(t, s, "POST", "/_miroir/dev/nodes/a1/start", ""); r.status != 500 || r.code(t) != "internal" {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

func TestABusyAddressIsNamed(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	second := New(Options{Door: newFakeDoor(), Addr: s.Addr()})
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("start says %v", err)
	}
	third := New(Options{Door: newFakeDoor(), Addr: "127.0.0.1:0", MetricsAddr: s.Addr()})
	if err := third.Start(); err == nil || !strings.Contains(err.Error(), "--metrics-addr") || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("start says %v", err)
	}
}

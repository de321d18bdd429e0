package benchmarks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/tests/fleet"
)

const childEnv = "MIROIR_BENCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	n, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		_, _ = os.Stdout.WriteString("error " + err.Error() + "\n")
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(n.URL() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
}

// server is one node in a process of its own.
type server struct {
	name, url string
	pid       int
	client    *http.Client
}

// newClient asks for plain answers: a real server sends compressed ones in pieces, each of which waits 40 ms for the
// client's delayed acknowledgement, which would be all that is measured.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}}
}

// startEmbedded runs an embedded node in a process of its own: its memory is that process's.
func startEmbedded(tb testing.TB) *server {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return &server{"embedded", strings.TrimSpace(line), cmd.Process.Pid, newClient()}
}

func startReal(tb testing.TB) *server {
	r := fleet.StartReal(tb, fleet.RealBinary(tb))
	return &server{"real", r.URL, r.PID(), newClient()}
}

func (s *server) do(tb testing.TB, method, path string, body []byte) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		tb.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, answer, err)
	}
	return answer
}

// fill sends settings and documents and waits until all tasks have succeeded.
func (s *server) fill(tb testing.TB, c *corpus) time.Duration {
	tb.Helper()
	started := time.Now()
	s.do(tb, "PATCH", "/indexes/a/settings", []byte(c.settings))
	for _, body := range c.bodies {
		s.do(tb, "POST", "/indexes/a/documents?primaryKey=id", body)
	}
	for {
		var list struct {
			Results []struct{ Status string }
			Total   int
		}
		if err := json.Unmarshal(s.do(tb, "GET", "/tasks?limit=1000&statuses=enqueued,processing,failed", nil), &list); err != nil {
			tb.Fatal(err)
		}
		if list.Total == 0 {
			return time.Since(started)
		}
		if list.Results[0].Status == "failed" {
			tb.Fatal("indexing failed")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// memory is what the process holds and held at most, in MiB.
func (s *server) memory(tb testing.TB) (now, peak float64) {
	tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, 0 // not on this system
	}
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kib / 1024
		case "VmHWM":
			peak = kib / 1024
		}
	}
	return now, peak
}

// cpu is the processor time the process has used so far. On a machine that does other things as well it tells more than
// the time that passed.
func (s *server) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0 // not on this system
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // of hundredths of a second
}

// ask sends one query and returns how long the answer took.
func (s *server) ask(tb testing.TB, query string) time.Duration {
	tb.Helper()
	started := time.Now()
	s.do(tb, "POST", "/indexes/a/search", []byte(query))
	return time.Since(started)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkOneNode measures an embedded node beside a real server, where MEILISEARCH_BIN names one, over HTTP: time until
// all documents are searchable, memory, and time of queries as a client sees it. MIROIR_BENCH_DOCS is the number of
// documents, 5,000 by default; with films the data set is taken as many times as it fits into that.
func BenchmarkOneNode(b *testing.B) {
	n := 5000
	if s := os.Getenv("MIROIR_BENCH_DOCS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	list := []*corpus{synthetic(n)}
	if times := (n + 18_000) / 36_273; times > 0 {
		if c := films(b, times); c != nil {
			list = append(list, c)
		}
	}
	for _, c := range list {
		for name, start := range map[string]func(testing.TB) *server{"embedded": startEmbedded, "real": startReal} {
			b.Run(c.name+"/"+name, func(b *testing.B) { measure(b, start(b), c) })
		}
	}
}

// fewest is how many queries of a kind there are at least, so that there is a 99th percentile.
const fewest = 300

func measure(b *testing.B, s *server, c *corpus) {
	b.Cleanup(s.client.CloseIdleConnections)
	before := s.cpu()
	took := s.fill(b, c)
	busy := s.cpu() - before
	for _, k := range c.kinds {
		for _, q := range k.queries[:10] { // warms up
			s.ask(b, q)
		}
	}
	now, peak := s.memory(b)
	b.Run("index", func(b *testing.B) { // only reports: it was done once, above
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(busy.Seconds(), "s-cpu")
		b.ReportMetric(float64(c.count), "documents")
		b.ReportMetric(float64(c.words), "words")
		b.ReportMetric(now, "MiB")
		b.ReportMetric(peak, "MiB-peak")
	})
	for _, k := range c.kinds {
		b.Run(strings.ReplaceAll(k.name, " ", "-"), func(b *testing.B) {
			var times []time.Duration
			next := func() { times = append(times, s.ask(b, k.queries[len(times)%len(k.queries)])) }
			before := s.cpu()
			for b.Loop() {
				next()
			}
			for len(times) < fewest {
				next()
			}
			b.ReportMetric(ms(s.cpu()-before)/float64(len(times)), "ms-cpu")
			slices.Sort(times)
			b.ReportMetric(ms(times[len(times)/2]), "ms-p50")
			b.ReportMetric(ms(times[len(times)*99/100]), "ms-p99")
		})
	}
}

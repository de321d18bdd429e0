package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/messages"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestALargePayloadGoesToTheJournal(t *testing.T) {
	const limit = 3 * spoolFrom
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.MaxBody, o.MaxBodies = limit, limit })
	post := func(body io.Reader, encoding string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr()+"/indexes/films/documents", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "k")
		req.Header["Content-Encoding"] = []string{encoding}
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
	fingerprints := map[int]string{}
	for _, size := range []int{spoolFrom, spoolFrom + 1, limit, limit + 1} {
		text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		for how, status := range map[string]func() int{
			"with its length": func() int { return post(strings.NewReader(text), "identity") },
			"in pieces":       func() int { return post(chunked{strings.NewReader(text)}, "identity") },
			"by gzip":         func() int { return post(strings.NewReader(gzipped(t, text)), "gzip") },
		} {
			door.writes, door.payloads = nil, nil
			got := status()
			if size > limit {
				if got != 413 || len(door.writes)+len(door.payloads) != 0 {
					t.Errorf("%d bytes %s are answered %d, and %d payloads kept", size, how, got, len(door.payloads))
				}
				continue
			}
			if got != 202 || len(door.writes) != 1 {
				t.Fatalf("%d bytes %s are answered %d", size, how, got)
			}
			m := door.writes[0].(*messages.AddDocuments)
			switch {
			case size <= spoolFrom && (string(m.Payload) != text || !m.Stored.IsZero()):
				t.Errorf("%d bytes %s: %d in memory, stored %+v", size, how, len(m.Payload), m.Stored)
			case size > spoolFrom && (m.Payload != nil || m.Stored.Length != int64(size) || door.payloads[0] != text):
				t.Errorf("%d bytes %s: %d in memory, stored %+v", size, how, len(m.Payload), m.Stored)
			}
			if was := fingerprints[size]; was != "" && was != m.Idempotency.Request {
				t.Errorf("%d bytes %s are another request", size, how)
			}
			fingerprints[size] = m.Idempotency.Request
		}
	}
	if held := s.bodies.Load(); held != 0 {
		t.Errorf("%d bytes are still counted as held", held)
	}
	if fingerprints[spoolFrom] == fingerprints[spoolFrom+1] || fingerprints[limit] == fingerprints[spoolFrom+1] {
		t.Error("different bodies have one fingerprint")
	}
}

func TestALargePayloadThatBreaksOffIsLetGo(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "POST /indexes/films/documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		3*spoolFrom, strings.Repeat("x", 2*spoolFrom)) // the server may have closed it
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	aborted := func() int {
		door.mu.Lock()
		defer door.mu.Unlock()
		return door.aborted
	}
	for limit := time.Now().Add(30 * time.Second); aborted() != 1 || s.bodies.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d payloads let go, %d bytes held", aborted(), s.bodies.Load())
		}
	}
	if door.called() != 0 {
		t.Error("the door was called")
	}
	// One that does not decode, behind its beginning.
	packed := gzipped(t, strings.Repeat("0123456789abcdef", spoolFrom/8))
	broken := packed[:len(packed)-20] + strings.Repeat("z", 20)
	r := send(t, s, "POST", "/indexes/films/documents", broken, "Content-Type", "application/json", "Content-Encoding", "gzip")
	if r.status != 400 || r.code(t) != "bad_request" || door.called() != 0 || aborted() != 2 {
		t.Errorf("got %d %s, %d payloads let go", r.status, r.body, aborted())
	}
}

// A client that announces much and sends little takes no room from others.
func TestASlowClientHoldsOnlyWhatItHasSent(t *testing.T) {
	for _, path := range []string{"/indexes/films/documents", "/indexes/films/documents/delete-batch"} {
		door := newFakeDoor()
		s := start(t, door, func(o *Options) { o.MaxBody, o.MaxBodies = 3*spoolFrom, 4*spoolFrom })
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n[", path, 3*spoolFrom)
		if err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(30 * time.Second); s.bodies.Load() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("the request does not come in")
			}
		}
		r := send(t, s, "POST", path, "["+strings.Repeat(" ", 2*spoolFrom)+"]", asJSON...)
		if r.status != 202 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		_ = conn.Close()
	}
}

func TestBodiesWaitForTheirPartOfTheBudget(t *testing.T) {
	b := &budget{limit: 100}
	ctx := context.Background()
	if !b.take(ctx, 60, time.Minute) || b.take(ctx, 101, time.Minute) {
		t.Fatal("60 of 100 were refused, or 101 taken")
	}
	if b.take(ctx, 50, time.Millisecond) {
		t.Fatal("50 of 40 were taken")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if b.take(gone, 50, time.Minute) {
		t.Error("taken for a client that left")
	}
	// In the order of coming: 10 would fit, but 50 came first.
	large := b.ask(50)
	small := b.ask(10)
	if large == nil || small == nil {
		t.Fatal("somebody did not wait")
	}
	if !b.withdraw(large) {
		t.Error("it was granted")
	}
	<-small.granted
	second := b.ask(50)
	b.give(60)
	<-second.granted
	if b.Load() != 60 {
		t.Errorf("%d taken", b.Load())
	}
	b.give(60)
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if !b.take(ctx, 30, time.Minute) {
				t.Error("refused")
			}
			if used := b.Load(); used > 100 {
				t.Errorf("%d taken", used)
			}
			b.give(30)
		}()
	}
	wg.Wait()
	if b.Load() != 0 {
		t.Errorf("%d taken in the end", b.Load())
	}
}

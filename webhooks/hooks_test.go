package webhooks

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func encode(t *store.Task) ([]byte, error) {
	return fmt.Appendf(nil, `{"uid":%d,"status":%q}`, t.UID, t.Status), nil
}

func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T, o Options) *Hooks {
	t.Helper()
	if o.Store == nil {
		o.Store = openStore(t)
	}
	if o.Encode == nil {
		o.Encode = encode
	}
	o.Registerer = prometheus.NewRegistry()
	h, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	return h
}

// define makes a webhook of clients.
func define(t *testing.T, h *Hooks, id string, w *api.Webhook) {
	t.Helper()
	if _, err := h.Change(t.Context(), id, func(*api.Webhook, int) (*api.Webhook, error) { return w, nil }); err != nil {
		t.Fatal(err)
	}
}

// end commits tasks that have ended.
func end(t *testing.T, s store.Store, statuses ...string) {
	t.Helper()
	b := &store.Batch{}
	for _, status := range statuses {
		b.Tasks = append(b.Tasks, &store.Task{UID: -1, Type: api.IndexCreation, Status: status, EnqueuedAt: time.Now(), FinishedAt: time.Now()})
	}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// listener is an address that remembers the lines it was sent.
type listener struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string
	calls []http.Header
	// meet is called by every request before it is answered.
	meet func(n int)
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Errorf("a body that is no gzip: %v", err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		l.calls = append(l.calls, r.Header.Clone())
		n, meet := len(l.calls), l.meet
		l.mu.Unlock()
		if meet != nil {
			meet(n)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")...)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// counted is how many tasks had an outcome.
func counted(t *testing.T, h *Hooks, outcome string) float64 {
	t.Helper()
	reg, ok := h.opts.Registerer.(*prometheus.Registry)
	if !ok {
		t.Fatal("no registry")
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}

func TestEndedTasksAreToldToEveryWebhook(t *testing.T) {
	l, own := listen(t), listen(t)
	h := open(t, Options{URL: own.URL, Authorization: "Bearer operator"})
	s := h.Store()
	define(t, h, "a", &api.Webhook{URL: l.URL, Headers: map[string]string{"X-Own": "yes"}})
	end(t, s, api.Enqueued, api.Succeeded, api.Processing, api.Failed)
	end(t, s, api.Canceled)
	want := []string{`{"uid":1,"status":"succeeded"}`, `{"uid":3,"status":"failed"}`, `{"uid":4,"status":"canceled"}`}
	for _, l := range []*listener{l, own} {
		eventually(t, "three tasks", func() bool { return len(l.heard()) >= 3 })
		if got := l.heard(); !slices.Equal(got, want) {
			t.Errorf("heard %v", got)
		}
	}
	first := l.calls[0]
	if first.Get("X-Own") != "yes" || first.Get("Content-Type") != "application/x-ndjson" || first.Get("Content-Encoding") != "gzip" {
		t.Errorf("headers are %v", first)
	}
	if got := own.calls[0].Get("Authorization"); got != "Bearer operator" {
		t.Errorf("the operator's webhook is shown %q", got)
	}
	define(t, h, "a", nil)
	end(t, s, api.Succeeded)
	eventually(t, "the fourth task", func() bool { return len(own.heard()) == 4 })
	if got := l.heard(); len(got) != 3 {
		t.Errorf("a webhook that is gone heard %v", got)
	}
}

func TestWhatCouldNotBeCommittedIsNotTold(t *testing.T) {
	l := listen(t)
	h := open(t, Options{URL: l.URL})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	b := &store.Batch{Tasks: []*store.Task{{UID: 99, Type: api.IndexCreation, Status: api.Succeeded}}}
	if err := h.Store().Commit(gone, b); err == nil {
		t.Fatal("an unknown task was replaced")
	}
	end(t, h.Store(), api.Succeeded)
	eventually(t, "a task", func() bool { return len(l.heard()) > 0 })
	if got := l.heard(); !slices.Equal(got, []string{`{"uid":0,"status":"succeeded"}`}) {
		t.Errorf("heard %v", got)
	}
}

// A webhook that does not answer holds up neither writes nor another webhook, and
// misses what there is no room for.
func TestASlowWebhookPilesUpNothing(t *testing.T) {
	slow, quick := listen(t), listen(t)
	entered, letGo := make(chan struct{}, 100), make(chan struct{})
	slow.meet = func(int) {
		entered <- struct{}{}
		<-letGo
	}
	free := sync.OnceFunc(func() { close(letGo) })
	t.Cleanup(free)
	h := open(t, Options{Queue: 10})
	define(t, h, "slow", &api.Webhook{URL: slow.URL})
	define(t, h, "quick", &api.Webhook{URL: quick.URL})
	end(t, h.Store(), api.Succeeded)
	<-entered
	for i := range 30 {
		end(t, h.Store(), api.Succeeded)
		eventually(t, "the quick webhook", func() bool { return len(quick.heard()) == i+2 })
	}
	if n := counted(t, h, "dropped"); n != 20 {
		t.Errorf("%v tasks were dropped, want 20", n)
	}
	free()
	eventually(t, "what waited", func() bool { return len(slow.heard()) == 11 })
	if got := len(slow.calls); got != 2 {
		t.Errorf("what waited together came in %d calls", got-1)
	}
}

func TestAWebhookThatFailsIsNotToldAgain(t *testing.T) {
	answers := make(chan int, 1)
	answers <- http.StatusInternalServerError
	var got sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ := io.ReadAll(z)
		select {
		case status := <-answers:
			w.WriteHeader(status)
		default:
			got.Store(string(body), true)
		}
	}))
	defer server.Close()
	h := open(t, Options{URL: server.URL})
	end(t, h.Store(), api.Succeeded)
	eventually(t, "the first call", func() bool { return counted(t, h, "failed") == 1 })
	end(t, h.Store(), api.Succeeded)
	eventually(t, "the second call", func() bool { return counted(t, h, "told") == 1 })
	got.Range(func(body, _ any) bool {
		if body != `{"uid":1,"status":"succeeded"}`+"\n" {
			t.Errorf("heard %q", body)
		}
		return true
	})
}

func TestManyTasksComeInSeveralCalls(t *testing.T) {
	l := listen(t)
	h := open(t, Options{URL: l.URL})
	end(t, h.Store(), slices.Repeat([]string{api.Succeeded}, 2*tasksPerCall+1)...)
	eventually(t, "all tasks", func() bool { return len(l.heard()) == 2*tasksPerCall+1 })
	for i, line := range l.heard() {
		var task struct{ UID int }
		if err := json.Unmarshal([]byte(line), &task); err != nil || task.UID != i {
			t.Fatalf("line %d is %s: %v", i, line, err)
		}
	}
	if len(l.calls) != 3 {
		t.Errorf("%d calls", len(l.calls))
	}
}

func TestWebhooksOutliveARestart(t *testing.T) {
	s := openStore(t)
	h := open(t, Options{Store: s})
	define(t, h, "a", &api.Webhook{URL: "http://a.example", Headers: map[string]string{"b": "c"}})
	define(t, h, "b", &api.Webhook{URL: "http://b.example"})
	define(t, h, "b", nil)
	boom := errors.New("boom")
	if _, err := h.Change(t.Context(), "a", func(old *api.Webhook, defined int) (*api.Webhook, error) {
		if old.URL != "http://a.example" || defined != 1 {
			t.Errorf("there are %d, with %v", defined, old)
		}
		return nil, boom
	}); !errors.Is(err, boom) {
		t.Errorf("the error is %v", err)
	}
	all := open(t, Options{Store: s}).All()
	if len(all) != 1 || all["a"] == nil || all["a"].URL != "http://a.example" || all["a"].Headers["b"] != "c" {
		t.Errorf("after the restart there are %v", all)
	}
}

// Close gives what waits a little time, and ends what takes longer.
func TestCloseDoesNotWaitForAWebhookThatHangs(t *testing.T) {
	l := listen(t)
	entered, letGo := make(chan struct{}), make(chan struct{})
	l.meet = func(int) { close(entered); <-letGo }
	t.Cleanup(func() { close(letGo) })
	h := open(t, Options{URL: l.URL})
	end(t, h.Store(), api.Succeeded)
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h.Close(gone)
	end(t, h.Store(), api.Succeeded)
	if n := counted(t, h, "failed"); n != 1 {
		t.Errorf("%v tasks failed", n)
	}
}

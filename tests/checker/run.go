package checker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// Options say where seeds are run.
type Options struct {
	Real   string  // a Meilisearch binary for the nodes; empty for embedded ones
	Weaken string  // what is taken away from Miroir, see package weaken
	Faults []Fault // that may happen
}

// Report is what became of one seed.
type Report struct {
	Plan       *Plan
	Violations []string
	Ledger     Ledger
	File       string // the history, when there are violations
	Dir        string // of the history and the logs of all processes
}

// String says what was violated and how to see it again.
func (r *Report) String() string {
	return fmt.Sprintf("%s\n\t%s\nhistory: %s\nagain: MIROIR_SEED=%d", r.Plan, strings.Join(r.Violations, "\n\t"), r.File, r.Plan.Seed)
}

// shards is how many shards indexes have: few, so that each has documents.
const shards = 8

// hasty are times that let a run of seconds see what happens when they are over.
const hasty = "limits: {write_deadline: 2s, node_write_timeout: 700ms, read_deadline: 3s, node_read_timeout: 700ms, node_probe_interval: 300ms, node_probe_timeout: 700ms}\n"

// run is a seed that is being run.
type run struct {
	plan    *Plan
	opts    Options
	fleet   *fleet.Fleet
	wires   map[string]*fleet.Wire // by node, and of the proxy
	history *History
	client  *http.Client
	stop    atomic.Bool
	paused  atomic.Bool
	working sync.RWMutex // held for reading while a writer works
	found   []string
	tasks   []*Task
	lost    int // acknowledged writes that are not there
	became  int // unknown writes that were carried out

	batched    int // deletions with a bad filter that succeeded in one batch with a clear
	birthOrder int // writes that failed for want of an index that has a smaller uid
	overSwap   int // reads that found their index before a swap and read it after
}

// Run carries out a seed on a fleet of its own. Only what keeps it from being
// carried out fails the test; what Miroir did wrong is in the report.
func Run(t testing.TB, seed uint64, o Options) *Report {
	t.Helper()
	return RunPlan(t, NewPlan(seed, o.Faults), o)
}

// editing turns on edits by function.
const editing = `{"editDocumentsByFunction":true}`

// RunPlan is Run for a plan.
func RunPlan(t testing.TB, p *Plan, o Options) *Report {
	t.Helper()
	times := hasty
	if p.Calm {
		times = ""
	}
	r := &run{plan: p, opts: o, wires: map[string]*fleet.Wire{}, history: newHistory()}
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer r.client.CloseIdleConnections()
	r.fleet = fleet.Start(t, fleet.Options{
		Groups: p.Groups, PerGroup: p.PerGroup, Replicas: p.Replicas, Shards: shards, Real: o.Real, Weaken: o.Weaken, Faulty: true, Lines: times,
		Relay: func(n *fleet.Node) string {
			r.wires[n.ID] = fleet.NewWire(t, n.URL)
			return r.wires[n.ID].URL
		},
	})
	if p.Edits = o.Real != ""; p.Edits {
		r.fleet.Do(t, "PATCH", "/experimental-features", editing)
	}
	r.wires[Proxy] = fleet.NewWire(t, r.fleet.Proxy.URL)
	r.history.began = time.Now()
	var clients sync.WaitGroup
	for i := range p.Writers {
		c := newCaller(p, i)
		clients.Go(func() { r.writes(c, i == 0) })
	}
	clients.Go(r.reads)
	r.misfortunes(t, p.Events)
	time.Sleep(p.Length - r.history.now())
	if p.Wiped != "" && r.whole() {
		r.wipe(t)
	}
	r.stop.Store(true)
	clients.Wait()
	if r.whole() {
		r.verify(t)
	}
	return r.report(t)
}

// violated records that something is not as it must be.
func (r *run) violated(format string, args ...any) {
	if len(r.found) < 40 {
		r.found = append(r.found, fmt.Sprintf(format, args...))
	}
}

func (r *run) report(t testing.TB) *Report {
	t.Helper()
	rep := &Report{Plan: r.plan, Violations: r.found, Ledger: r.ledger()}
	if len(r.found) == 0 {
		return rep
	}
	dir, err := os.MkdirTemp(os.Getenv("MIROIR_HISTORY"), fmt.Sprintf("miroir-seed-%d-", r.plan.Seed)) //nolint:usetesting // it must outlive the test
	if err != nil {
		t.Fatal(err)
	}
	rep.Dir = dir
	if rep.File, err = r.history.save(dir, r.tasks); err != nil {
		t.Fatal(err)
	}
	logs := map[string]string{Proxy: r.fleet.Log()}
	for _, n := range r.fleet.Nodes {
		logs[n.ID] = n.Log()
	}
	logs["violations"] = strings.Join(r.found, "\n") + "\n"
	for name, text := range logs {
		if err := os.WriteFile(filepath.Join(dir, name+".log"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return rep
}

// writes makes calls until the run ends.
func (r *run) writes(c *caller, first bool) {
	if first {
		for _, index := range []string{"films", "books"} {
			for _, call := range c.first(index) {
				r.write(c, call)
			}
		}
	}
	for !r.stop.Load() {
		if r.paused.Load() {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		r.working.RLock()
		w := r.write(c, c.next())
		r.working.RUnlock()
		pause := time.Duration(c.r.IntN(25)) * time.Millisecond
		if w.Outcome != Acknowledged {
			pause += 30 * time.Millisecond
		}
		time.Sleep(pause)
	}
}

// patience is how long a client waits: longer than Miroir may take.
const patience = 4 * time.Second

// write sends one call and records what its client comes to know. One in thirty
// clients leaves after a moment.
func (r *run) write(c *caller, call *Call) *Write {
	w := &Write{Call: call, Task: -1, Outcome: Unknown, Sent: r.history.now()}
	limit := patience
	switch {
	case r.plan.Calm:
		limit = time.Minute
	case c.r.IntN(30) == 0:
		limit = time.Duration(1+c.r.IntN(20)) * time.Millisecond
	}
	a, err := r.ask(r.wires[Proxy].URL, limit, call.Method, call.Path, call.Body, call.ContentType)
	w.Answered = r.history.now()
	switch {
	case err != nil:
		w.Error = err.Error()
	default:
		w.Status, w.Code, w.Degraded = a.Status, a.Code(), a.Degraded()
		w.Task = a.TaskUID()
		switch {
		case a.Status == http.StatusAccepted && w.Task >= 0:
			w.Outcome = Acknowledged
		case a.Status >= 400 && a.Status < 500, a.Status == http.StatusServiceUnavailable && w.Task < 0 && saysNothing(a.Body):
			w.Outcome = Refused
			w.Error = string(a.Body)
		default:
			w.Error = string(a.Body)
		}
	}
	r.history.write(w)
	return w
}

// saysNothing tells answers that promise that nothing was written.
func saysNothing(body []byte) bool {
	return bytes.Contains(body, []byte("Nothing was written")) || bytes.Contains(body, []byte("Nothing was changed"))
}

func (r *run) ask(url string, limit time.Duration, method, path, body, contentType string) (*fleet.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url+path, in)
	if err != nil {
		return nil, err
	}
	if contentType == "" {
		contentType = "application/json"
	}
	if body != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &fleet.Answer{Status: resp.StatusCode, Header: resp.Header, Body: data}, nil
}

// reads looks at documents until the run ends.
func (r *run) reads() {
	random := rand.New(rand.NewPCG(r.plan.Seed, 50)) //nolint:gosec // it must be repeatable
	floors := map[string]int64{"films": -1, "books": -1}
	for i := 0; !r.stop.Load(); i++ {
		index := indexes[random.IntN(len(indexes))]
		if i%4 == 0 {
			r.floor(index, floors)
		}
		q := &Read{Index: index, ID: fmt.Sprint(random.IntN(r.plan.Documents)), Floor: floors[index], Sent: r.history.now()}
		a, err := r.ask(r.fleet.Proxy.URL, patience, "GET", "/indexes/"+index+"/documents/"+q.ID, "", "")
		q.Answered = r.history.now()
		switch {
		case err != nil:
			q.Error = err.Error()
		default:
			q.Status, q.Degraded = a.Status, a.Degraded()
			var d Document
			switch {
			case a.Status == http.StatusOK && json.Unmarshal(a.Body, &d) == nil:
				q.State = shown(d)
			case a.Status != http.StatusNotFound:
				q.Error = string(a.Body)
			}
		}
		r.history.read(q)
		time.Sleep(time.Duration(5+random.IntN(15)) * time.Millisecond)
	}
}

// floor notes the newest task of an index that has succeeded.
func (r *run) floor(index string, floors map[string]int64) {
	a, err := r.ask(r.fleet.Proxy.URL, patience, "GET", "/tasks?limit=1&statuses=succeeded&indexUids="+index, "", "")
	var page struct{ Results []Task }
	if err == nil && a.Status == http.StatusOK && json.Unmarshal(a.Body, &page) == nil && len(page.Results) == 1 {
		floors[index] = max(floors[index], page.Results[0].UID)
	}
}

// recovery is how long a fleet may take to be whole once nothing disturbs it.
const recovery = 60 * time.Second

// whole waits, without writes, until every node has everything and every task has
// ended.
func (r *run) whole() bool {
	r.paused.Store(true)
	defer r.paused.Store(false)
	r.working.Lock()   // the calls under way have ended
	r.working.Unlock() //nolint:staticcheck // only to wait
	deadline := time.Now().Add(recovery)
	for {
		err := r.missing()
		if err == nil {
			return true
		}
		if r.fleet.Ended() {
			r.violated("Miroir has ended by itself")
			return false
		}
		if time.Now().After(deadline) {
			r.violated("not whole %v after the last fault: %v", recovery, err)
			r.tasks, _ = r.listTasks() // for the history
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// missing says what keeps the fleet from being whole.
func (r *run) missing() error {
	a, err := r.ask(r.fleet.Metrics, patience, "GET", "/ready", "", "")
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("not ready: %s", a.Body)
	}
	if a, err = r.ask(r.fleet.Proxy.URL, patience, "GET", "/tasks?limit=1&statuses=enqueued,processing", "", ""); err != nil {
		return err
	}
	var open struct{ Total int }
	if err := json.Unmarshal(a.Body, &open); err != nil || open.Total > 0 {
		return fmt.Errorf("%d tasks have not ended (%v): %s", open.Total, err, a.Body) //nolint:errorlint // most often there is none
	}
	if a, err = r.ask(r.fleet.Proxy.URL, patience, "GET", "/_miroir/topology", "", ""); err != nil {
		return err
	}
	var top fleet.Topology
	if err := json.Unmarshal(a.Body, &top); err != nil {
		return err
	}
	var problems []error
	for _, g := range top.Groups {
		for _, n := range g.Nodes {
			if n.State != "ready" || n.Behind > 0 || n.Reason != "" {
				problems = append(problems, fmt.Errorf("%s is %s, %d behind: %s", n.ID, n.State, n.Behind, n.Reason))
			}
		}
	}
	if len(problems) == 0 && top.Degraded {
		problems = append(problems, errors.New("the topology is degraded"))
	}
	return errors.Join(problems...)
}

package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// ingested is what taking one payload cost.
type ingested struct {
	accepted, succeeded time.Duration
	cpu                 time.Duration // of the proxy, until succeeded
}

// ingest sends a payload to an index and waits for its task.
func (u *upload) ingest(t *testing.T, s fleet.API, index string, proxy int) ingested {
	t.Helper()
	before, start := cpuTime(t, proxy), time.Now()
	uid := u.send(t, s, "/indexes/"+index+"/documents?primaryKey=id")
	out := ingested{accepted: time.Since(start)}
	for limit := start.Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var task fleet.Task
		s.Get(t, fmt.Sprintf("/tasks/%d", uid), &task)
		switch {
		case task.Status == "succeeded":
			out.succeeded, out.cpu = time.Since(start), cpuTime(t, proxy)-before
			return out
		case task.Status == "failed", time.Now().After(limit):
			t.Fatalf("task %d: %s %s", uid, task.Status, task.Error)
		}
	}
}

// cpuTime is the time that a process has computed; 0 for no process.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	if pid == 0 {
		return 0
	}
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Skip("no /proc here")
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	ticks := 0
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func middle[T any](all []T, of func(T) time.Duration) time.Duration {
	var list []time.Duration
	for _, x := range all {
		list = append(list, of(x))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// nodeKinds are the nodes that can be measured: embedded ones, and real ones when
// there is a server.
func nodeKinds() map[string]string {
	kinds := map[string]string{"embedded": ""}
	if bin := os.Getenv("MEILISEARCH_BIN"); bin != "" {
		kinds["real"] = bin
	}
	return kinds
}

// With one group of one node, a payload is ready nearly as soon as when it is sent
// straight to the node. Both are measured in turns, so that a machine that is busy
// slows down both.
func TestIngestIsNearlyAsFastAsStraightToTheNode(t *testing.T) {
	if !long() {
		t.Skip("a measurement; MIROIR_LONG=1 runs it")
	}
	for kind, bin := range nodeKinds() {
		t.Run(kind, func(t *testing.T) {
			f := fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 1, Real: bin})
			node := fleet.StartNode(t, "straight", bin)
			u := makeUpload("ndjson", 10_000_000, 800)
			var through, straight []ingested
			for i := range 8 {
				index := fmt.Sprint("run", i)
				turns := []func(){
					func() { straight = append(straight, u.ingest(t, node.API, index, 0)) },
					func() { through = append(through, u.ingest(t, f.API, index, f.Proxy.PID())) },
				}
				if i%2 == 1 {
					slices.Reverse(turns)
				}
				for _, turn := range turns {
					turn()
				}
			}
			through, straight = through[1:], straight[1:] // the first warms up
			succeeded := func(x ingested) time.Duration { return x.succeeded }
			a, b := middle(through, succeeded), middle(straight, succeeded)
			ratio := float64(b) / float64(a)
			t.Logf("%s: 10 MB in %v, straight %v: %.0f %% as fast; 202 after %v, straight %v; %v of the proxy's CPU", kind, a, b, 100*ratio,
				middle(through, func(x ingested) time.Duration { return x.accepted }), middle(straight, func(x ingested) time.Duration { return x.accepted }),
				middle(through, func(x ingested) time.Duration { return x.cpu }))
			if ratio < 0.8 {
				t.Errorf("%.0f %% as fast, want at least 80 %%", 100*ratio)
			}
		})
	}
}

// What a payload costs the proxy in other topologies.
func TestWhatIngestCostsTheProxy(t *testing.T) {
	if !long() {
		t.Skip("a measurement; MIROIR_LONG=1 runs it")
	}
	for _, o := range []fleet.Options{{Groups: 1, PerGroup: 1}, {Groups: 2, PerGroup: 1}, {Groups: 1, PerGroup: 3}, {Groups: 2, PerGroup: 3, Replicas: 2}} {
		f := fleet.Start(t, o)
		for _, name := range []string{"ndjson", "json", "csv"} {
			u := makeUpload(name, 10_000_000, 800)
			var all []ingested
			for i := range 3 {
				all = append(all, u.ingest(t, f.API, fmt.Sprint(name, i), f.Proxy.PID()))
			}
			t.Logf("%d × %d, %d copies, %s: %.1f ms of CPU for 1 MB, 202 after %v, succeeded after %v", o.Groups, o.PerGroup, max(o.Replicas, 1), name,
				float64(middle(all, func(x ingested) time.Duration { return x.cpu }).Microseconds())/10_000,
				middle(all, func(x ingested) time.Duration { return x.accepted }).Round(time.Millisecond),
				middle(all, func(x ingested) time.Duration { return x.succeeded }).Round(time.Millisecond))
		}
		f.Kill()
		for _, n := range f.Nodes {
			n.Kill()
		}
	}
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// scripted is a job of several rounds, each a list of parts, for tests. Its
// body is what every round was answered.
type scripted struct {
	iv     *indexView
	rounds [][]scriptedPart
	said   string
}

type scriptedPart struct {
	iv    *indexView
	path  string
	shard topology.Shard // -1: all of them
	judge int            // the node that words a refusal, -1: none
}

func (p scriptedPart) index() *indexView { return p.iv }

func (p scriptedPart) need() topology.ShardSet {
	if p.shard < 0 {
		return p.iv.table.All()
	}
	return topology.ShardSetOf(p.iv.table.Shards(), p.shard)
}

func (p scriptedPart) request(topology.Leg, bool) (*nodeclient.Request, error) {
	return &nodeclient.Request{Method: http.MethodGet, Path: "/asked/" + p.path}, nil
}

func (p scriptedPart) original(topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	if p.judge < 0 {
		return 0, nil
	}
	return p.judge, &nodeclient.Request{Method: http.MethodGet, Path: "/asked/original"}
}

func (j *scripted) scatters() []scatter {
	var out []scatter
	for _, p := range j.rounds[0] {
		p.iv = j.iv
		out = append(out, p)
	}
	return out
}

func (j *scripted) join(in []gathered) (outcome, error) {
	for i, g := range in {
		slices.SortFunc(g.bodies, slices.Compare)
		j.said += fmt.Sprintf("%d:%s(%v) ", i, slices.Concat(g.bodies...), g.alone)
	}
	if len(j.rounds) > 1 {
		return outcome{next: &scripted{iv: j.iv, rounds: j.rounds[1:], said: j.said + "| "}}, nil
	}
	return answered([]byte(strings.TrimSpace(j.said)), nil)
}

// script runs rounds over nodes that answer as answer says, and lists the calls.
func script(t *testing.T, nodes, copies int, rounds [][]scriptedPart, answer func(ctx context.Context, node, path string) (int, error), change ...func(*Options)) (*messages.Answer, []string) {
	t.Helper()
	c, f := startFixed(t, nodes, copies, change...)
	var mu sync.Mutex
	var calls []string
	f.asked = func(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error) {
		node, path := strings.TrimPrefix(address, "http://"), strings.TrimPrefix(r.Path, "/asked/")
		mu.Lock()
		calls = append(calls, node+" "+path)
		mu.Unlock()
		status, err := answer(ctx, node, path)
		if err != nil {
			return nil, err
		}
		if status >= 400 {
			return &nodeclient.Response{Status: status, Body: fmt.Appendf(nil, `{"code":"bad_request","message":"%s %s"}`, node, path)}, nil
		}
		return &nodeclient.Response{Status: status, Body: []byte(node + path + ",")}, nil
	}
	iv, _ := c.registry.lookup("films")
	out := make(chan *messages.Answer, 1)
	pid := c.sys.Root.SpawnPrefix(c.readProps, c.opts.Name+"-read-")
	c.tell(pid, &startRead{ctx: t.Context(), job: &scripted{iv: iv, rounds: rounds}, reply: func(a *messages.Answer) { out <- a }})
	select {
	case a := <-out:
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(calls)
		return a, calls
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		return nil, nil
	}
}

func fine(context.Context, string, string) (int, error) { return 200, nil }

// one and all are parts that ask for one shard, and for all of them.
func one(path string, shard int) scriptedPart {
	return scriptedPart{path: path, shard: shard, judge: -1}
}

func all(path string) scriptedPart { return scriptedPart{path: path, shard: -1, judge: -1} }

func TestAReadHasAsManyRoundsAsItsJobWants(t *testing.T) {
	a, calls := script(t, 3, 1, [][]scriptedPart{{all("x")}, {all("y"), all("z")}, {all("x")}}, fine)
	const want = "0:n0x,n1x,n2x,(false) | 0:n0y,n1y,n2y,(false) 1:n0z,n1z,n2z,(false) | 0:n0x,n1x,n2x,(false)"
	if string(a.Body) != want || a.Degraded != "" || a.Nodes != 12 || len(calls) != 12 {
		t.Errorf("%+v\n%s", a, a.Body)
	}
}

func TestARoundMayAskOneShardAndTheNextAll(t *testing.T) {
	a, calls := script(t, 3, 1, [][]scriptedPart{{one("target", 5)}, {all("rest")}}, fine)
	if a.Err != nil || len(calls) != 4 || !strings.Contains(string(a.Body), "target,(true) | 0:n0rest,n1rest,n2rest,(false)") {
		t.Errorf("%+v %v", a, calls)
	}
}

func TestLaterRoundsAskTheSameCopies(t *testing.T) {
	for range 5 { // covers take turns
		_, calls := script(t, 4, 2, [][]scriptedPart{{all("x")}, {all("x")}, {all("x")}}, fine)
		total := len(calls)
		if nodes := len(slices.Compact(calls)); nodes*3 != total {
			t.Errorf("%d calls of %d nodes in three rounds, want the same nodes in each", total, nodes)
		}
	}
}

func TestANodeThatFailedInOneRoundIsNotAskedInTheNext(t *testing.T) {
	failing := func(_ context.Context, node, _ string) (int, error) {
		if node == "n1" {
			return 500, nil
		}
		return 200, nil
	}
	a, calls := script(t, 3, 2, [][]scriptedPart{{all("x")}, {one("y", 1)}, {all("z")}}, failing)
	n1 := 0
	for _, c := range calls {
		if strings.HasPrefix(c, "n1") {
			n1++
		}
	}
	if a.Err != nil || a.Degraded != "" || n1 > 1 {
		t.Errorf("%+v, node 1 asked %d times: %v", a, n1, calls)
	}
}

func TestALegOfALaterRoundFallsBack(t *testing.T) {
	failing := func(_ context.Context, node, path string) (int, error) {
		if node == "n0" && path == "y" {
			return 0, errors.New("cut")
		}
		return 200, nil
	}
	for range 4 {
		a, calls := script(t, 2, 2, [][]scriptedPart{{all("x")}, {all("y")}}, failing)
		if a.Err != nil || a.Degraded != "" || !strings.HasSuffix(string(a.Body), "0:n1y,(true)") {
			t.Errorf("%+v %s %v", a, a.Body, calls)
		}
	}
}

func TestShardsThatOneRoundLacksAreMissingFromTheAnswer(t *testing.T) {
	failing := func(_ context.Context, node, path string) (int, error) {
		if node == "n2" && path == "y" {
			return 500, nil
		}
		return 200, nil
	}
	a, calls := script(t, 3, 1, [][]scriptedPart{{all("x")}, {all("y")}, {all("y")}}, failing)
	if !strings.HasPrefix(a.Degraded, "shards=") || !strings.HasSuffix(string(a.Body), "| 0:n0y,n1y,(false) | 0:n0y,n1y,(false)") {
		t.Errorf("%+v %s %v", a, a.Body, calls)
	}
	a, _ = script(t, 3, 1, [][]scriptedPart{{all("x")}, {all("y")}}, failing, func(o *Options) { o.UnavailableShards = "error" })
	if a.Err == nil || a.Err.Code != "miroir_shard_unavailable" {
		t.Errorf("%+v", a)
	}
	a, _ = script(t, 3, 1, [][]scriptedPart{{all("x"), all("y")}}, failing)
	if a.Degraded == "" || string(a.Body) != "0:n0x,n1x,n2x,(false) 1:n0y,n1y,(false)" {
		t.Errorf("%+v %s", a, a.Body)
	}
}

func TestOneDeadlineIsForAllRounds(t *testing.T) {
	hanging := func(ctx context.Context, node, path string) (int, error) {
		if path == "y" && node == "n1" {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 200, nil
	}
	short := func(o *Options) { o.ReadTimeout, o.LegTimeout = 150*time.Millisecond, time.Minute }
	began := time.Now()
	a, _ := script(t, 2, 1, [][]scriptedPart{{all("x")}, {all("y")}}, hanging, short)
	if a.Degraded == "" || !strings.HasSuffix(string(a.Body), "0:n0y,(false)") {
		t.Errorf("in the last round: %+v %s", a, a.Body)
	}
	a, calls := script(t, 2, 1, [][]scriptedPart{{all("y")}, {all("x")}}, hanging, short)
	if a.Err == nil || a.Err.Code != "miroir_shard_unavailable" || len(calls) != 2 {
		t.Errorf("before the last round: %+v %v", a, calls)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestARefusalOfALaterRoundIsWordedWhereTheJobSays(t *testing.T) {
	refusing := func(_ context.Context, _, path string) (int, error) {
		if path != "x" {
			return 400, nil
		}
		return 200, nil
	}
	judged := all("y")
	judged.judge = 2
	a, _ := script(t, 3, 1, [][]scriptedPart{{all("x")}, {judged}}, refusing)
	if a.Status != 400 || !strings.Contains(string(a.Body), `"n2 original"`) {
		t.Errorf("%+v %s", a, a.Body)
	}
	a, _ = script(t, 1, 1, [][]scriptedPart{{all("x")}, {all("y")}}, refusing)
	if a.Status != 400 || !strings.Contains(string(a.Body), `"n0 y"`) {
		t.Errorf("%+v %s", a, a.Body)
	}
}

// A round of many scatters does not ask them all at once.
func TestScattersOfARoundAreAskedAFewAtATime(t *testing.T) {
	var round []scriptedPart
	for i := range 3 * maxScatters {
		round = append(round, all(fmt.Sprint(i)))
	}
	var mu sync.Mutex
	under, most := map[string]int{}, 0
	begin := func(path string, n int) {
		mu.Lock()
		defer mu.Unlock()
		if under[path] += n; under[path] == 0 {
			delete(under, path)
		}
		most = max(most, len(under))
	}
	counting := func(_ context.Context, node, path string) (int, error) {
		begin(path, 1)
		defer begin(path, -1)
		time.Sleep(5 * time.Millisecond)
		if node == "n1" {
			return 500, nil
		}
		return 200, nil
	}
	a, calls := script(t, 2, 2, [][]scriptedPart{round, round}, counting)
	if a.Err != nil || a.Degraded != "" || strings.Count(string(a.Body), "(true)") != 2*len(round) {
		t.Errorf("%+v %s", a, a.Body)
	}
	if most < 2 || most > maxScatters {
		t.Errorf("up to %d scatters at once, want up to %d", most, maxScatters)
	}
	failed := 0
	for _, c := range calls {
		if strings.HasPrefix(c, "n1") {
			failed++
		}
	}
	if failed > maxScatters {
		t.Errorf("a node that fails was asked %d times", failed)
	}
}

// At the deadline, scatters that still wait are missing.
func TestScattersThatWaitAreMissingAtTheDeadline(t *testing.T) {
	hanging := func(ctx context.Context, _, path string) (int, error) {
		if path == "y" {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 200, nil
	}
	round := []scriptedPart{one("x", 0)}
	for range maxScatters {
		round = append(round, one("y", 1))
	}
	round = append(round, one("z", 2), one("z", 3))
	a, calls := script(t, 1, 1, [][]scriptedPart{round}, hanging, func(o *Options) {
		o.ReadTimeout, o.LegTimeout = 150*time.Millisecond, time.Minute
	})
	if a.Err != nil || a.Degraded == "" || !strings.HasPrefix(string(a.Body), "0:n0x,(true) 1:(") || len(calls) != 1+maxScatters {
		t.Errorf("%+v %v", a, calls)
	}
}

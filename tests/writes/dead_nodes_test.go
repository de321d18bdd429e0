package writes

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/miroir-search/miroir/actors"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/tests/fleet"
)

// switchboard stands between Miroir and its nodes, some of which refuse connections.
type switchboard struct {
	nodeclient.Client
	mu   sync.Mutex
	dead map[string]bool // by address
}

func (s *switchboard) Do(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error) {
	s.mu.Lock()
	dead := s.dead[address]
	s.mu.Unlock()
	if dead {
		return nil, &nodeclient.Error{Method: r.Method, Path: r.Path, Err: errors.New("connection refused")}
	}
	return s.Client.Do(ctx, address, r)
}

// oracle says which writes go through, by the words of the design and the formula of
// decision 2, and by nothing of the code that it judges.
type oracle struct {
	groups, perGroup, copies, shards int
	dead                             map[string]bool // by node id
}

func (o oracle) shardOf(id string) int { return int(xxhash.Sum64String(id) % uint64(o.shards)) }

// owners are the nodes of a group that hold a shard.
func (o oracle) owners(group, shard int) []string {
	weight := func(id string) uint64 {
		return xxhash.Sum64(append(binary.BigEndian.AppendUint32(nil, uint32(shard)), id...))
	}
	var ids []string
	for i := range o.perGroup {
		ids = append(ids, nodeID(group, i))
	}
	slices.SortFunc(ids, func(a, b string) int {
		switch x, y := weight(a), weight(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a, b)
	})
	return ids[:o.copies]
}

// met tells whether enough copies of a shard in a group live.
func (o oracle) met(group, shard int) bool {
	live := 0
	for _, id := range o.owners(group, shard) {
		if !o.dead[id] {
			live++
		}
	}
	return live >= o.copies/2+1
}

// expect is the status of a write that touches some shards, and its header.
func (o oracle) expect(shards []int) (status int, header string) {
	var groups, missed []string
	for g := range o.groups {
		if slices.ContainsFunc(shards, func(s int) bool { return !o.met(g, s) }) {
			groups = append(groups, fmt.Sprint(g))
		}
	}
	for _, s := range shards {
		here := 0
		for g := range o.groups {
			if o.met(g, s) {
				here++
			}
		}
		if here == 0 {
			return http.StatusServiceUnavailable, ""
		}
		if here < o.groups {
			missed = append(missed, fmt.Sprint(s))
		}
	}
	if len(missed) == 0 {
		return http.StatusAccepted, ""
	}
	return http.StatusAccepted, "groups=" + strings.Join(groups, ",") + "; shards=" + strings.Join(missed, ",")
}

// idOf finds an id that falls into a shard.
func (o oracle) idOf(shard, from int) string {
	for i := from; ; i++ {
		if id := fmt.Sprintf("d%d", i); o.shardOf(id) == shard {
			return id
		}
	}
}

// In every arrangement and with every set of dead nodes exactly the writes go through
// that should, with the header that they should have. What was answered 202 is on
// every copy in the end, and what was refused on none.
func TestWritesGoThroughExactlyWhenEnoughCopiesLive(t *testing.T) {
	var count ledger
	t.Cleanup(func() { t.Logf("%d sets of dead nodes; writes by status: %v", count.sets, count.writes) })
	for groups := 1; groups <= 3; groups++ {
		for copies := 1; copies <= 3; copies++ {
			o := oracle{groups: groups, perGroup: copies + 1, copies: copies, shards: 4}
			if copies == 3 {
				o.perGroup = 3
			}
			t.Run(fmt.Sprintf("%d groups of %d, %d copies", groups, o.perGroup, copies), func(t *testing.T) {
				t.Parallel()
				killNodes(t, o, &count)
			})
		}
	}
}

// ledger counts what was tried.
type ledger struct {
	mu     sync.Mutex
	sets   int
	writes map[int]int // by status
}

func (l *ledger) add(sets, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets += sets
	if l.writes == nil {
		l.writes = map[int]int{}
	}
	if status > 0 {
		l.writes[status]++
	}
}

// killNodes lets nodes of one arrangement die, set by set.
func killNodes(t *testing.T, o oracle, count *ledger) {
	board := &switchboard{Client: nodeclient.New(nodeclient.Options{}), dead: map[string]bool{}}
	m := startMiroir(t, shape{groups: o.groups, perGroup: o.perGroup, copies: o.copies, shards: o.shards, change: func(a *actors.Options) {
		a.Client, a.ProbeInterval = board, 20*time.Millisecond
	}})
	m.Write(t, "POST", "/indexes", `{"uid":"films","primaryKey":"id"}`)
	total := o.groups * o.perGroup
	all := make([]int, 1<<total)
	for i := range all {
		all[i] = i
	}
	if !long() && len(all) > 5 { // nobody, everybody, and some that follow from a fixed seed
		r := rand.New(rand.NewPCG(uint64(total), uint64(o.copies)))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = append(all[:3:3], 0, 1<<total-1)
	}
	written := map[string]bool{}
	for round, set := range all {
		o.dead = map[string]bool{}
		for g := range o.groups {
			for i := range o.perGroup {
				if set>>(g*o.perGroup+i)&1 == 1 {
					o.dead[nodeID(g, i)] = true
				}
			}
		}
		m.kill(t, board, o.dead)
		everything := make([]int, o.shards)
		var list []string
		for s := range o.shards {
			everything[s] = s
			id := o.idOf(s, 1000*round)
			written[id] = m.tryWrite(t, o, []int{s}, count, "POST", "/indexes/films/documents", fmt.Sprintf(`[{"id":%q,"n":%d}]`, id, round))
			list = append(list, fmt.Sprintf(`{"id":%q}`, o.idOf(s, 1000*round+500)))
		}
		ok := m.tryWrite(t, o, everything, count, "PUT", "/indexes/films/documents", "["+strings.Join(list, ",")+"]")
		for s := range o.shards {
			written[o.idOf(s, 1000*round+500)] = ok
		}
		m.tryWrite(t, o, everything, count, "POST", "/indexes/films/documents/delete", `{"filter":"id = none"}`)
		m.tryWrite(t, o, everything, count, "PATCH", "/indexes/films/settings", fmt.Sprintf(`{"stopWords":["w%d"],"filterableAttributes":["id"]}`, round))
	}
	m.kill(t, board, nil)
	m.sameEverywhere(t, o, written)
	count.add(len(all), 0)
}

// kill makes nodes dead and waits until Miroir has seen it, and that the others are
// well.
func (m *miroir) kill(t *testing.T, board *switchboard, dead map[string]bool) {
	t.Helper()
	fleet.Eventually(t, 60*time.Second, "no task is open", func() error {
		var page struct{ Total int }
		if m.Get(t, "/tasks?statuses=enqueued,processing&limit=1", &page); page.Total > 0 {
			return fmt.Errorf("%d are", page.Total)
		}
		return nil
	})
	board.mu.Lock()
	board.dead = map[string]bool{}
	for _, g := range m.cluster.Topology().Groups {
		for _, n := range g.Nodes {
			board.dead[n.Address] = dead[n.ID]
		}
	}
	board.mu.Unlock()
	fleet.Eventually(t, 60*time.Second, "Miroir sees who is dead", func() error {
		for _, g := range m.cluster.Topology().Groups {
			for _, n := range g.Nodes {
				if (n.State == "broken") != dead[n.ID] || !dead[n.ID] && n.State != "ready" {
					return fmt.Errorf("node %s is %s: %s", n.ID, n.State, n.Reason)
				}
			}
		}
		return nil
	})
}

// tryWrite sends one write and compares the answer with what should be.
func (m *miroir) tryWrite(t *testing.T, o oracle, shards []int, count *ledger, method, path, body string) bool {
	t.Helper()
	before := m.tasks(t)
	status, header := o.expect(shards)
	a := m.Do(t, method, path, body)
	count.add(0, a.Status)
	if a.Status != status || a.Degraded() != header {
		t.Errorf("%s %s with %v dead: %d, degraded %q, %s; want %d, degraded %q", method, path, deadOnes(o), a.Status, a.Degraded(), a.Body, status, header)
	}
	if status == http.StatusServiceUnavailable {
		if a.Code() != "miroir_no_quorum" || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s with %v dead: %s, Retry-After %q", method, path, deadOnes(o), a.Body, a.Header.Get("Retry-After"))
		}
		if after := m.tasks(t); after != before {
			t.Errorf("%s %s with %v dead made a task", method, path, deadOnes(o))
		}
	}
	return a.Status == http.StatusAccepted
}

func deadOnes(o oracle) []string {
	var out []string
	for id, dead := range o.dead {
		if dead {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// tasks counts all tasks.
func (m *miroir) tasks(t *testing.T) int {
	t.Helper()
	var page struct{ Total int }
	m.Get(t, "/tasks?limit=1", &page)
	return page.Total
}

// sameEverywhere waits until every owner of a document has it, when it was taken,
// and no node has others.
func (m *miroir) sameEverywhere(t *testing.T, o oracle, written map[string]bool) {
	t.Helper()
	fleet.Eventually(t, 60*time.Second, "all copies are equal", func() error {
		for g := range o.groups {
			for i := range o.perGroup {
				node := fleet.API{URL: m.urls[g*o.perGroup+i]}
				var indexes struct{ Results []struct{ UID string } }
				node.Get(t, "/indexes", &indexes)
				has := map[string]bool{}
				for _, x := range indexes.Results {
					var page struct {
						Results []struct{ ID json.RawMessage }
					}
					node.Get(t, "/indexes/"+x.UID+"/documents?limit=10000", &page)
					for _, d := range page.Results {
						has[strings.Trim(string(d.ID), `"`)] = true
					}
				}
				for id, taken := range written {
					if want := taken && slices.Contains(o.owners(g, o.shardOf(id)), nodeID(g, i)); has[id] != want {
						return fmt.Errorf("node %s: document %s is there: %v, want %v", nodeID(g, i), id, has[id], want)
					}
				}
			}
		}
		return nil
	})
}

package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
)

type countedStats struct {
	NumberOfDocuments int
	AvgDocumentSize   any
	FieldDistribution map[string]int
}

// stats asks for the statistics of the index films and of all indexes, which must
// agree: exactly while a group is whole.
func (f *fleet) stats(t *testing.T, o messages.StatsOptions) (countedStats, *messages.Answer) {
	t.Helper()
	one, all := countedStats{}, struct {
		LastUpdate *string
		Indexes    map[string]countedStats
	}{}
	a := f.read(&messages.GetIndexStats{IndexUID: "films", StatsOptions: o})
	b := f.read(&messages.GetStats{StatsOptions: o})
	if a.Err != nil || b.Err != nil || json.Unmarshal(a.Body, &one) != nil || json.Unmarshal(b.Body, &all) != nil {
		t.Fatalf("%v %s\n%v %s", a.Err, a.Body, b.Err, b.Body)
	}
	if strings.Contains(string(a.Body)+string(b.Body), "_miroir_") || all.LastUpdate == nil {
		t.Errorf("%s\n%s", a.Body, b.Body)
	}
	other := all.Indexes["films"]
	if f.wholeGroup() && !reflect.DeepEqual(one.FieldDistribution, other.FieldDistribution) {
		t.Errorf("one index: %v, all: %v", one.FieldDistribution, other.FieldDistribution)
	}
	for field, n := range one.FieldDistribution { // without a whole group those of all are taken in proportion
		if m := other.FieldDistribution[field]; m < n*9/10-10 || m > n*11/10+10 {
			t.Errorf("one index: %d documents have %s, all: %d", n, field, m)
		}
	}
	other.AvgDocumentSize, other.FieldDistribution = one.AvgDocumentSize, one.FieldDistribution
	if !reflect.DeepEqual(one, other) {
		t.Errorf("one index: %+v, all: %+v", one, other)
	}
	return one, a
}

// wholeGroup reports whether some group has all its nodes.
func (f *fleet) wholeGroup() bool {
	for g := range f.c.newest.Groups() {
		if nodes, _ := f.c.countingNodes(g, f.c.registry.list()); nodes != nil {
			return true
		}
	}
	return false
}

// Documents and fields are counted once, whole group or not.
func TestStatisticsWithoutAWholeGroup(t *testing.T) {
	for _, shape := range [][3]int{{1, 3, 2}, {2, 3, 2}, {1, 4, 3}} {
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			f := newFleet(t, shape[0], shape[1], shape[2])
			var docs []string
			for i := range 200 {
				extra := ""
				if i%3 == 0 {
					extra = `,"third":{"deep":1}`
				}
				docs = append(docs, fmt.Sprintf(`{"id":%d,"title":"x"%s}`, i, extra))
			}
			f.must(adding("films", "["+strings.Join(docs, ",")+"]"))
			f.must(adding("others", `[{"id":1}]`))
			f.idle()
			whole, _ := f.stats(t, messages.StatsOptions{})
			want := map[string]int{"id": 200, "title": 200, "third": 67}
			if whole.NumberOfDocuments != 200 || !reflect.DeepEqual(whole.FieldDistribution, want) {
				t.Fatalf("of a whole group: %+v", whole)
			}
			for g := range shape[0] { // each group loses a node
				f.nodes[g*shape[1]+g].Faults().Add(embedded.Fault{Cut: true})
			}
			f.eventually("nodes are seen to be lost", func() bool {
				for g := range shape[0] {
					if nodes, _ := f.c.countingNodes(g, f.c.registry.list()); nodes != nil {
						return false
					}
				}
				return true
			})
			part, a := f.stats(t, messages.StatsOptions{})
			if a.Degraded != "" || part.NumberOfDocuments != 200 || !reflect.DeepEqual(part.FieldDistribution, want) {
				t.Errorf("counted by shard: %+v", part)
			}
			human, _ := f.stats(t, messages.StatsOptions{HumanSizes: true})
			if text, ok := human.AvgDocumentSize.(string); !ok || !strings.HasSuffix(text, " B") {
				t.Errorf("for people: %+v", human)
			}
		})
	}
}

// Shards that nobody holds are left out, and said to be.
func TestStatisticsOfWhatIsLeft(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", manyDocs(0, 100, "x")))
	f.idle()
	f.nodes[0].Faults().Add(embedded.Fault{Cut: true})
	f.eventually("a node is seen to be lost", func() bool {
		nodes, _ := f.c.countingNodes(0, nil)
		return nodes == nil
	})
	left, a := f.stats(t, messages.StatsOptions{})
	p, _ := f.search("films", `{"limit":0}`)
	if a.Degraded == "" || left.NumberOfDocuments == 0 || left.NumberOfDocuments != *p.EstimatedTotalHits {
		t.Errorf("%s: %+v, a search counts %d", a.Degraded, left, *p.EstimatedTotalHits)
	}
	if a := f.read(&messages.GetStats{StatsOptions: messages.StatsOptions{OnMissing: "error"}}); a.Err == nil || a.Err.Code != "miroir_shard_unavailable" {
		t.Errorf("%s %v", a.Body, a.Err)
	}
}

// However many calls statistics need, few are under way, and no longer than a
// read may take.
func TestStatisticsAskAFewAtATime(t *testing.T) {
	c, f := startFixed(t, 1, 1, func(o *Options) { o.ReadTimeout = 300 * time.Millisecond })
	var now, most atomic.Int64
	hang := false
	f.asked = func(ctx context.Context, _ string, _ *nodeclient.Request) (*nodeclient.Response, error) {
		defer now.Add(-1)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		if hang {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		time.Sleep(time.Millisecond)
		return &nodeclient.Response{Status: http.StatusOK, Body: []byte("{}")}, nil
	}
	calls := make([]statsCall, 5*maxStatsCalls)
	for i := range calls {
		calls[i].req = &nodeclient.Request{Method: http.MethodGet, Path: "/asked/stats"}
	}
	r := &statsRead{c: c}
	if bodies, failed := r.askAll(t.Context(), calls); failed != nil || len(bodies) != len(calls) || r.calls != len(calls) {
		t.Errorf("%d answers to %d calls, %v", len(bodies), r.calls, failed)
	}
	if n := most.Load(); n < 2 || n > maxStatsCalls {
		t.Errorf("%d calls at once, want up to %d", n, maxStatsCalls)
	}
	hang = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, failed := r.askAll(ctx, calls); failed == nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", failed, time.Since(began))
	}
}

// Statistics have the deadline of a read, whatever nodes do.
func TestStatisticsHaveADeadline(t *testing.T) {
	f := newFleet(t, 2, 2, 1, func(o *Options) { o.LegTimeout, o.ReadTimeout = time.Minute, 200*time.Millisecond })
	f.must(adding("films", `[{"id":1}]`))
	f.idle()
	for _, n := range f.nodes {
		n.Faults().Add(embedded.Fault{Method: "GET", Path: "/stats", Hang: true})
	}
	began := time.Now()
	a := f.read(&messages.GetStats{})
	if a.Err == nil || a.Err.Code != "miroir_shard_unavailable" || time.Since(began) > 10*time.Second {
		t.Errorf("%s %v after %v", a.Body, a.Err, time.Since(began))
	}
}

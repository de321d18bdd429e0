package actors

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// fixedNodes answers for any number of nodes without a network: every write is
// accepted and applied at once, every search has the same page.
type fixedNodes struct {
	page     []byte
	searches atomic.Int64
	// asked, when set, answers the calls below /asked/ instead.
	asked   func(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error)
	mu      sync.Mutex
	tasks   map[string]int64 // by address
	markers map[string][]byte
}

func (f *fixedNodes) Close() {}

func (f *fixedNodes) Do(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error) {
	if strings.HasPrefix(r.Path, "/asked/") {
		return f.asked(ctx, address, r)
	}
	if strings.HasSuffix(r.Path, "/search") {
		f.searches.Add(1)
		return &nodeclient.Response{Status: http.StatusOK, Body: f.page}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Path == "/tasks?limit=1":
		return &nodeclient.Response{Status: http.StatusOK, Body: fmt.Appendf(nil, `{"results":[{"uid":%d}]}`, f.tasks[address]-1)}, nil
	case strings.HasPrefix(r.Path, "/tasks?"):
		var b strings.Builder
		b.WriteString(`{"results":[`)
		list := r.Path[strings.Index(r.Path, "uids=")+len("uids="):]
		for i, uid := range strings.Split(list, ",") {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"uid":%s,"status":"succeeded","details":{},"error":null}`, uid)
		}
		b.WriteString(`]}`)
		return &nodeclient.Response{Status: http.StatusOK, Body: []byte(b.String())}, nil
	case strings.HasPrefix(r.Path, "/tasks/"):
		return &nodeclient.Response{Status: http.StatusOK, Body: []byte(`{"uid":0,"status":"succeeded"}`)}, nil
	case r.Path == "/version":
		return &nodeclient.Response{Status: http.StatusOK, Body: []byte(`{"pkgVersion":"1.50.0"}`)}, nil
	case r.Path == "/health":
		return &nodeclient.Response{Status: http.StatusOK, Body: []byte(`{"status":"available"}`)}, nil
	case r.Path == markerPath+"/cluster":
		if m := f.markers[address]; m != nil {
			return &nodeclient.Response{Status: http.StatusOK, Body: m}, nil
		}
		return &nodeclient.Response{Status: http.StatusNotFound, Body: []byte(`{"code":"document_not_found"}`)}, nil
	case strings.HasPrefix(r.Path, markerPath):
		f.markers[address] = r.Body[1 : len(r.Body)-1]
	}
	uid := f.tasks[address]
	f.tasks[address]++
	return &nodeclient.Response{Status: http.StatusAccepted, Body: []byte(`{"taskUid":` + strconv.FormatInt(uid, 10) + `}`)}, nil
}

// searchPage is a node's answer of n hits of about 0.5 KB with score details.
func searchPage(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"hits":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"title":"film %d","overview":"%s","_miroir_shard":"!!!!!","_miroir_seq":"%s","_rankingScoreDetails":{"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},"typo":{"order":1,"typoCount":0,"maxTypoCount":2,"score":1.0},"proximity":{"order":2,"score":0.%d}}}`,
			i, i, strings.Repeat("a word ", 60), topology.AppendSeq(nil, uint64(i+1)), 9-i%9)
	}
	b.WriteString(`],"query":"film","processingTimeMs":1,"limit":20,"offset":0,"estimatedTotalHits":1000,"requestUid":"0"}`)
	return []byte(b.String())
}

// startFixed runs a cluster over fixedNodes with one index "films".
func startFixed(tb testing.TB, nodes, copies int, change ...func(*Options)) (*Cluster, *fixedNodes) {
	tb.Helper()
	f := &fixedNodes{page: searchPage(20), tasks: map[string]int64{}, markers: map[string][]byte{}}
	st, err := store.Open(context.Background(), store.Options{Ephemeral: true})
	if err != nil {
		tb.Fatal(err)
	}
	o := Options{Store: st, Client: f, ReplicationFactor: copies}
	for i := range nodes {
		o.Nodes = append(o.Nodes, topology.Node{ID: fmt.Sprintf("n%d", i), Address: fmt.Sprintf("http://n%d", i)})
	}
	for _, ch := range change {
		ch(&o)
	}
	c, err := Start(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			tb.Error(err)
		}
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	if a := c.Write(context.Background(), &messages.CreateIndex{IndexUID: "films", PrimaryKey: "id"}); a.Err != nil {
		tb.Fatal(a.Err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if _, ok := c.Index("films"); ok {
			return c, f
		}
		if time.Now().After(deadline) {
			tb.Fatal("the index was not made")
		}
	}
}

var filmSearch = &messages.Search{IndexUID: "films", Body: []byte(`{"q":"film","limit":20}`)}

func TestASearchAllocatesNothingPerHit(t *testing.T) {
	for _, tc := range []struct {
		name          string
		nodes, copies int
		calls         int64
		atMost        float64
	}{
		{"one node that holds everything", 1, 1, 1, 100},
		{"three full copies", 3, 3, 1, 100},
		{"three shards of the data, merged", 3, 1, 3, 170},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, f := startFixed(t, tc.nodes, tc.copies)
			ctx := context.Background()
			if a := c.Read(ctx, filmSearch); a.Err != nil {
				t.Fatal(a.Err)
			}
			before := f.searches.Load()
			const runs = 200
			got := testing.AllocsPerRun(runs, func() { c.Read(ctx, filmSearch) })
			if calls := f.searches.Load() - before; calls != tc.calls*(runs+1) {
				t.Errorf("%d node calls for %d searches, want %d each", calls, runs+1, tc.calls)
			}
			t.Logf("%.0f allocations a search", got)
			if got > tc.atMost {
				t.Errorf("%.0f allocations a search, want at most %.0f", got, tc.atMost)
			}
		})
	}
}

func BenchmarkSearchThroughActors(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			c, _ := startFixed(b, nodes, 1)
			b.ReportAllocs()
			for b.Loop() {
				if a := c.Read(context.Background(), filmSearch); a.Err != nil {
					b.Fatal(a.Err)
				}
			}
		})
	}
}

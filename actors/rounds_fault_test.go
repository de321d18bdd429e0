package actors

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

var changingMembers = regexp.MustCompile(`"processingTimeMs":\d+|"requestUid":"[^"]*"`)

func TestReadsOfSeveralRoundsDoNotNoticeALostNode(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["kind"],"embedders":{"v":{"source":"userProvided","dimensions":2}}}`))
	var docs strings.Builder
	for i := range 60 {
		fmt.Fprintf(&docs, `%c{"id":%d,"title":"common %d","kind":"k%d","_vectors":{"v":[%d,%d]}}`, ",["[(60-i)/60], i, i, i%17, i%7+1, i%5)
	}
	f.must(adding("films", docs.String()+"]"))
	reads := []any{
		&messages.Search{IndexUID: "films", Body: []byte(`{"q":"common 1","vector":[1,2],"hybrid":{"embedder":"v"}}`)},
		&messages.Search{IndexUID: "films", Body: []byte(`{"q":"common","distinct":"kind","limit":15,"facets":["kind"]}`)},
		&messages.Search{IndexUID: "films", Body: []byte(`{"distinct":"kind","page":2,"hitsPerPage":5}`)},
		&messages.Search{IndexUID: "films", Body: []byte(`{"q":"common 2","rankingScoreThreshold":0.9,"limit":3}`)},
		&messages.Similar{IndexUID: "films", Body: []byte(`{"id":7,"embedder":"v","limit":9}`)},
		&messages.FacetSearch{IndexUID: "films", Body: []byte(`{"facetName":"kind","facetQuery":"k1"}`)},
	}
	answer := func(msg any) string {
		_, a := f.page(f.read(msg))
		if a.Degraded != "" {
			t.Errorf("%T is degraded: %s", msg, a.Degraded)
		}
		return string(changingMembers.ReplaceAll(a.Body, nil))
	}
	var want []string
	for _, r := range reads {
		want = append(want, answer(r))
	}
	f.nodes[0].Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Cut: true})
	for range 2 { // each group is asked first
		for i, r := range reads {
			if got := answer(r); got != want[i] {
				t.Errorf("%T with a node lost:\n%s\nwant\n%s", r, got, want[i])
			}
		}
	}
	if f.nodes[0].Faults().Hits() == 0 {
		t.Error("the fault was never met")
	}
}

// One group is a single node that answers alone, the other is of two.
func TestSimilarDocumentsOfUnequalGroups(t *testing.T) {
	f := newFleet(t, 1, 3, 1, func(o *Options) { o.Nodes[1].Group, o.Nodes[2].Group = 1, 1 })
	f.must(settingsOf("films", `{"filterableAttributes":["n"],"embedders":{"v":{"source":"userProvided","dimensions":2}}}`))
	var docs []string
	for i := range 20 {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"n":%d,"_vectors":{"v":[1,%d]}}`, i, i, i))
	}
	f.must(adding("films", "["+strings.Join(docs, ",")+"]"))
	for _, lost := range []bool{false, true} {
		if lost {
			f.nodes[0].Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Status: 500})
		}
		calls := map[int]bool{}
		for range 4 { // both groups are asked first
			for body, want := range map[string]int{`"id":3,"filter":"n < 10"`: 9, `"id":3,"filter":"n > 9"`: 10, `"id":3`: 19} {
				p, a := f.page(f.read(&messages.Similar{IndexUID: "films", Body: []byte(`{"embedder":"v",` + body + `}`)}))
				if *p.EstimatedTotalHits != want || len(p.Hits) != want {
					t.Errorf("lost %v, %s: %d calls, %s", lost, body, a.Nodes, a.Body)
				}
				calls[a.Nodes] = true
			}
		}
		if len(calls) < 2 || calls[1] == lost {
			t.Errorf("lost %v: reads of %v calls", lost, calls)
		}
	}
}

// A node may be lost after a page has been located, with nobody to stand in.
func TestADeepPageWithoutTheNodeThatHoldsAPartOfIt(t *testing.T) {
	for _, policy := range []string{"partial", "error"} {
		f := newFleet(t, 1, 3, 1, func(o *Options) {
			o.ReadTimeout, o.LegTimeout, o.UnavailableShards = 1000*time.Millisecond, time.Minute, policy
		})
		f.must(adding("films", manyDocs(0, 1500, "x")))
		for _, fault := range []embedded.Fault{{Status: 500}, {Hang: true}} {
			fault.Path, fault.Every = f.documentsOf("films")+"/fetch", 2 // probes do not count
			f.eventually("all nodes can be read", func() bool { return f.c.Ready() == nil })
			f.nodes[0].Faults().Add(fault)
			a := f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"offset":1200,"limit":30}`)})
			if f.nodes[0].Faults().Hits() == 0 {
				t.Error("the fault was never met")
			}
			f.nodes[0].Faults().Clear()
			if policy == "error" {
				if a.Err == nil || a.Err.Code != "miroir_shard_unavailable" {
					t.Errorf("%+v: %v %.200s", fault, a.Err, a.Body)
				}
				continue
			}
			if p, _ := f.page(a); a.Degraded == "" || *p.Total != 1500 || len(p.Results) == 0 || len(p.Results) >= 30 {
				t.Errorf("%+v: header %q, %d documents, %.200s", fault, a.Degraded, len(p.Results), a.Body)
			}
		}
	}
}

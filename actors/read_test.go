package actors

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

func TestALegThatFailsGoesToTheOtherGroup(t *testing.T) {
	for name, fault := range map[string]embedded.Fault{
		"answers an error":     {Status: 500},
		"cuts the connection":  {Cut: true},
		"does not answer":      {Hang: true},
		"does not know of it":  {Status: 404, Code: "index_not_found"},
		"says it is too busy":  {Status: 503, Code: "too_many_search_requests"},
		"does not know us":     {Status: 403, Code: "invalid_api_key"},
		"answers 429 whatever": {Status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 2, 1, func(o *Options) { o.LegTimeout = 150 * time.Millisecond })
			f.must(adding("films", manyDocs(0, 30, "x")))
			fault.Path, fault.Method = "/indexes/*", "POST"
			f.nodes[0].Faults().Add(fault)
			for i := range 6 {
				p, a := f.search("films", `{"q":"common","limit":40}`)
				if a.Degraded != "" || len(p.Hits) != 30 || *p.EstimatedTotalHits != 30 {
					t.Fatalf("read %d: %d hits of %d, %+v", i, len(p.Hits), *p.EstimatedTotalHits, a)
				}
			}
			if f.nodes[0].Faults().Hits() == 0 {
				t.Error("the fault was never met")
			}
		})
	}
}

func TestShardsWithoutACopyAreMissingByPolicy(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", manyDocs(0, 40, "x")))
	f.down(1)
	p, a := f.search("films", `{"limit":100}`)
	if !strings.HasPrefix(a.Degraded, "shards=") || len(p.Hits) == 0 || len(p.Hits) >= 40 {
		t.Errorf("%d hits, header %q", len(p.Hits), a.Degraded)
	}
	strict := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`), OnMissing: "error"})
	if strict.Err == nil || strict.Err.Code != "miroir_shard_unavailable" || strict.Err.Status() != 503 {
		t.Errorf("%+v", strict)
	}
	if err := f.c.Ready(); err == nil {
		t.Error("ready without all shards")
	}
	if st := f.read(&messages.GetStats{}); st.Err != nil || st.Degraded != a.Degraded {
		t.Errorf("counted without all shards: %v %q %s", st.Err, st.Degraded, st.Body)
	}
	f.down(0)
	none := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`)})
	if none.Err == nil || strings.Contains(none.Err.Message, indexIDPrefix) {
		t.Errorf("nobody is there: %+v", none)
	}
}

func TestNoAnswerInTimeIsAnErrorWithoutOurNames(t *testing.T) {
	f := newFleet(t, 1, 2, 1, func(o *Options) { o.LegTimeout, o.ReadTimeout = time.Minute, 100*time.Millisecond })
	f.must(adding("films", manyDocs(0, 40, "x")))
	for _, n := range f.nodes {
		n.Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Hang: true})
	}
	a := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`)})
	if a.Err == nil || a.Err.Code != "miroir_shard_unavailable" {
		t.Errorf("%d %s %+v", a.Status, a.Body, a.Err)
	}
	for _, n := range f.nodes {
		n.Faults().Clear()
		n.Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Cut: true})
	}
	a = f.read(&messages.Search{IndexUID: "films", Body: []byte(`{}`)})
	if a.Err == nil || strings.Contains(a.Err.Message, indexIDPrefix) {
		t.Errorf("%+v", a.Err)
	}
}

func TestAnErrorOfTheClientIsInTheWordsOfOneNode(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["genre"],"sortableAttributes":["year"]}`))
	f.must(adding("films", `[{"id":1,"genre":"a","year":1}]`))
	one := newFleet(t, 1, 1, 1) // one node is asked as the client wrote it
	one.must(settingsOf("films", `{"filterableAttributes":["genre"],"sortableAttributes":["year"]}`))
	one.must(adding("films", `[{"id":1,"genre":"a","year":1}]`))
	for _, body := range []string{
		`{"filter":"title = x"}`, `{"filter":["genre = a",["title = x"]]}`, `{"filter":"genre = "}`, `{"sort":["title:asc"]}`,
		`{"limit":-1}`, `{"limit":"many"}`, `{"attributesToRetrieve":3}`, `{"nonsense":1}`, `{"facets":["title"]}`, `{"q":7}`, `{"page":-1}`, `[]`, `1`,
	} {
		for range 3 { // whichever leg refuses first
			got, want := f.read(&messages.Search{IndexUID: "films", Body: []byte(body)}), one.read(&messages.Search{IndexUID: "films", Body: []byte(body)})
			if got.Status != want.Status || got.Status == 200 || string(got.Body) != string(want.Body) {
				t.Errorf("%s\ngot  %d %s %v\nwant %d %s %v", body, got.Status, got.Body, got.Err, want.Status, want.Body, want.Err)
				break
			}
			if strings.Contains(string(got.Body), "miroir") {
				t.Errorf("%s: something of ours shows: %s", body, got.Body)
			}
		}
	}
}

func TestWhatDoesNotExistIsNotFound(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", `[{"id":1}]`))
	for _, m := range []any{
		&messages.Search{IndexUID: "none", Body: []byte(`{}`)}, &messages.GetDocument{IndexUID: "none", DocumentID: "1"},
		&messages.BrowseDocuments{IndexUID: "none", Body: []byte(`{}`)}, &messages.GetIndexStats{IndexUID: "none"},
	} {
		if a := f.read(m); a.Err == nil || a.Err.Code != "index_not_found" || a.Err.Status() != 404 {
			t.Errorf("%T: %+v", m, a)
		}
	}
	if a := f.read(&messages.Search{IndexUID: "films", Body: []byte(`{`)}); a.Err == nil || a.Err.Status() != 400 {
		t.Errorf("%+v", a)
	}
	if a := f.read(&messages.GetDocument{IndexUID: "films", DocumentID: "2"}); a.Status != 404 || !strings.Contains(string(a.Body), "Document `2` not found") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := f.read("no message"); a.Err == nil {
		t.Errorf("%+v", a)
	}
	if a := f.write("no message"); a.Err == nil {
		t.Errorf("%+v", a)
	}
}

func TestWithFullCopiesASearchIsOneCall(t *testing.T) {
	f := newFleet(t, 2, 2, 2)
	f.must(adding("films", manyDocs(0, 10, "x")))
	for range 4 {
		if p, a := f.search("films", `{"q":"common"}`); a.Nodes != 1 || len(p.Hits) != 10 {
			t.Errorf("%d calls, %d hits", a.Nodes, len(p.Hits))
		}
	}
	if a := f.read(&messages.GetIndexStats{IndexUID: "films"}); a.Err != nil || !strings.Contains(string(a.Body), `"numberOfDocuments":10`) {
		t.Errorf("%s %v", a.Body, a.Err)
	}
}

func TestPagesOfAListingTogetherAreAllDocumentsInTheirOrder(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(adding("films", manyDocs(0, 23, "x")))
	var got []string
	for offset := 0; offset < 30; offset += 5 {
		p, _ := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(fmt.Sprintf(`{"offset":%d,"limit":5,"fields":["id"]}`, offset))}))
		if *p.Total != 23 {
			t.Errorf("total %d", *p.Total)
		}
		for _, r := range p.Results {
			if len(r) != 1 {
				t.Errorf("more than was asked for: %v", r)
			}
		}
		got = append(got, ids(p.Results)...)
	}
	for i, id := range got {
		if id != fmt.Sprint(i) {
			t.Fatalf("order %v", got)
		}
	}
	if len(got) != 23 {
		t.Errorf("%d documents", len(got))
	}
	got = nil
	for page := 1; page <= 6; page++ {
		p, _ := f.search("films", fmt.Sprintf(`{"page":%d,"hitsPerPage":4}`, page))
		if *p.TotalHits != 23 {
			t.Errorf("total %d", *p.TotalHits)
		}
		got = append(got, ids(p.Hits)...)
	}
	if len(got) != 23 {
		t.Errorf("%v", got)
	}
}

func TestWhatTheClientHidesStaysHidden(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(settingsOf("films", `{"displayedAttributes":["id","title"],"sortableAttributes":["year"],"rankingRules":["words","sort","rank:desc"]}`))
	f.must(adding("films", `[{"id":1,"title":"a b","year":3,"rank":1},{"id":2,"title":"a c","year":1,"rank":9},{"id":3,"title":"a d","year":2,"rank":5}]`))
	for body, want := range map[string]string{
		`{"q":"a","sort":["year:asc"]}`: "2 3 1",
		`{"q":"a"}`:                     "2 3 1",
		`{"q":"a","sort":["year:desc"],"attributesToRetrieve":["id"]}`:      "1 3 2",
		`{"q":"","sort":["year:desc"],"attributesToRetrieve":["*"]}`:        "1 3 2",
		`{"sort":["year:desc"],"showRankingScoreDetails":true}`:             "1 3 2",
		`{"sort":["year:desc"],"attributesToRetrieve":["id","year"]}`:       "1 3 2",
		`{"q":"a","sort":["year:asc"],"attributesToHighlight":["*"]}`:       "2 3 1",
		" \n{ \"q\" : \"a\" , \"sort\" : [ \"year:asc\" ] , \"limit\":5 } ": "2 3 1",
	} {
		p, a := f.search("films", body)
		if got := strings.Join(ids(p.Hits), " "); got != want {
			t.Errorf("%s: order %s, want %s", body, got, want)
		}
		if strings.Contains(string(a.Body), `"rank":`) || strings.Contains(string(a.Body), `"year":`) {
			t.Errorf("%s shows what is hidden: %s", body, a.Body)
		}
	}
	p, _ := f.search("films", `{"q":"a","attributesToRetrieve":[]}`)
	for _, h := range p.Hits {
		if len(h) != 0 {
			t.Errorf("asked for nothing, got %v", h)
		}
	}
	doc := f.read(&messages.GetDocument{IndexUID: "films", DocumentID: "1", Query: url.Values{}})
	if doc.Status != 200 || strings.Contains(string(doc.Body), "_miroir_") {
		t.Errorf("%d %s", doc.Status, doc.Body)
	}
}

func TestDistinctHoldsOverShards(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["series"]}`))
	var b strings.Builder
	for i := range 24 {
		fmt.Fprintf(&b, `,{"id":%d,"series":"s%d"}`, i, i%4)
	}
	f.must(adding("films", "["+b.String()[1:]+"]"))
	p, _ := f.search("films", `{"distinct":"series"}`)
	if got := strings.Join(ids(p.Hits), " "); got != "0 1 2 3" {
		t.Errorf("by request: %s", got)
	}
	f.must(settingsOf("films", `{"distinctAttribute":"series"}`))
	p, _ = f.search("films", `{"hitsPerPage":3}`)
	if got := strings.Join(ids(p.Hits), " "); got != "0 1 2" {
		t.Errorf("by setting: %s", got)
	}
}

func TestTwoClustersInOneActorSystemDoNotMeet(t *testing.T) {
	a, b := newFleet(t, 1, 2, 1), newFleet(t, 1, 1, 1)
	a.must(adding("films", manyDocs(0, 5, "x")))
	b.must(adding("films", manyDocs(0, 3, "x")))
	pa, _ := a.search("films", `{}`)
	pb, _ := b.search("films", `{}`)
	if len(pa.Hits) != 5 || len(pb.Hits) != 3 {
		t.Errorf("%d and %d hits", len(pa.Hits), len(pb.Hits))
	}
	a.stop()
	if pb, _ = b.search("films", `{}`); len(pb.Hits) != 3 {
		t.Errorf("after the other one stopped: %d hits", len(pb.Hits))
	}
}

func TestANodeOfAnotherClusterIsRefused(t *testing.T) {
	a := newFleet(t, 1, 1, 1)
	a.must(adding("films", `[{"id":1}]`))
	o := a.opts
	o.Name += "x"
	b := &fleet{t: t, dir: t.TempDir(), opts: o}
	st := b.openStore()
	o.Store = st
	if c, err := Start(context.Background(), o); err == nil || !strings.Contains(err.Error(), "the store is new") {
		t.Errorf("%v, %v", c, err)
	}
	_ = st.Close()
}

// What can only be in some shards is asked of their owners alone.
func TestReadsByKeyAskOwners(t *testing.T) {
	f := newFleet(t, 1, 3, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["id","n"]}`))
	var docs []string
	for i := range 60 {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"n":%d}`, i, i%7))
	}
	f.must(adding("films", "["+strings.Join(docs, ",")+"]"))
	for _, c := range []struct {
		body        string
		most, total int
	}{
		{`{"filter":"id = 7"}`, 1, 1},
		{`{"filter":"id = 7 AND n = 0"}`, 1, 1},
		{`{"filter":["id = 7","n = 1"]}`, 1, 0},
		{`{"filter":"id IN [7, 8]"}`, 2, 2},
		{`{"filter":"id = 7 OR id = 700"}`, 2, 1},
		{`{"filter":"id IN []"}`, 1, 0},
		{`{"filter":"n = 0 OR id = 7"}`, 3, 9},
		{`{"filter":"NOT id = 7"}`, 3, 59},
	} {
		p, a := f.search("films", c.body)
		if a.Nodes > c.most || *p.EstimatedTotalHits != c.total || len(p.Hits) != min(c.total, 20) {
			t.Errorf("search %s: %d nodes, %s", c.body, a.Nodes, a.Body)
		}
		p, a = f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(c.body[:len(c.body)-1] + `,"fields":["id"]}`)}))
		if a.Nodes > c.most || *p.Total != c.total || len(p.Results) != min(c.total, 20) {
			t.Errorf("browse %s: %d nodes, %s", c.body, a.Nodes, a.Body)
		}
	}
	p, a := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"ids":[7,"7",7,"none"]}`)}))
	if a.Nodes > 2 || *p.Total != 1 || ids(p.Results)[0] != "7" {
		t.Errorf("ids: %d nodes, %s", a.Nodes, a.Body)
	}
	p, a = f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"ids":[]}`)}))
	if a.Nodes != 1 || *p.Total != 0 {
		t.Errorf("no ids: %d nodes, %s", a.Nodes, a.Body)
	}
}

// One node that holds everything gets the client's own page, however deep.
func TestBrowseOfFullCopiesIsOneCall(t *testing.T) {
	f := newFleet(t, 1, 2, 2)
	f.must(adding("films", `[{"id":1},{"id":2},{"id":3}]`))
	p, a := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"offset":1,"limit":1}`)}))
	if a.Nodes != 1 || *p.Total != 3 || fmt.Sprint(ids(p.Results)) != "[2]" {
		t.Errorf("%d nodes, %s", a.Nodes, a.Body)
	}
}

// A deep page costs nodes little, and is the same as a piece of the whole.
func TestDeepPagesAreLocated(t *testing.T) {
	for _, copies := range []int{1, 2} {
		f := newFleet(t, 1, 3, copies)
		f.must(settingsOf("films", `{"sortableAttributes":["n","a.b"],"filterableAttributes":["n"]}`))
		var docs []string
		for i := range 3000 {
			docs = append(docs, fmt.Sprintf(`{"id":%d,"n":%d,"a":{"b":%d,"c":%d},"text":"%s"}`, i, i%50, i%7, i, strings.Repeat("long ", 20)))
		}
		f.must(adding("films", "["+strings.Join(docs, ",")+"]"))
		for _, what := range []string{`"fields":["id"]`, `"sort":["n:desc"],"fields":["id"]`, `"sort":["a.b:asc"],"fields":["a.c","id"]`, `"filter":"n < 30"`, `"sort":["n:asc","a.b:desc"]`} {
			whole, _ := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{` + what + `,"limit":3000}`)}))
			for _, offset := range []int{0, 3, 250, 1500, 1795, 2990, 3000, 1 << 40, math.MaxInt64} {
				p, a := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: []byte(fmt.Sprintf(`{%s,"offset":%d,"limit":10}`, what, offset))}))
				from := min(offset, len(whole.Results))
				want := whole.Results[from:min(from+10, len(whole.Results))]
				if *p.Total != *whole.Total || fmt.Sprint(p.Results) != fmt.Sprint(want) {
					t.Errorf("%s from %d: %d nodes, %v, want %v", what, offset, a.Nodes, p.Results, want)
				}
				if a.Nodes > 6 {
					t.Errorf("%s from %d: %d calls", what, offset, a.Nodes)
				}
			}
		}
	}
}

// Numbers that are too large to be added are neither refused, nor do they make
// nodes send everything.
func TestAbsurdPagesCostNothing(t *testing.T) {
	f := newFleet(t, 1, 3, 1)
	f.must(settingsOf("films", `{"embedders":{"e":{"source":"userProvided","dimensions":2}}}`))
	var docs []string
	for i := range 1200 {
		docs = append(docs, fmt.Sprintf(`{"id":%d,"_vectors":{"e":[1,%d]}}`, i, i))
	}
	f.must(adding("films", "["+strings.Join(docs, ",")+"]"))
	for _, c := range []struct {
		offset, limit, shown int
	}{
		{math.MaxInt64, 20, 0}, {math.MaxInt64, math.MaxInt64, 0}, {1150, math.MaxInt64, 50}, {3, math.MaxInt64, 1197}, {math.MaxInt64, 0, 0},
	} {
		body := []byte(fmt.Sprintf(`{"offset":%d,"limit":%d}`, c.offset, c.limit))
		p, a := f.page(f.read(&messages.BrowseDocuments{IndexUID: "films", Body: body}))
		if *p.Total != 1200 || len(p.Results) != c.shown {
			t.Errorf("%s: %d documents, %.200s", body, len(p.Results), a.Body)
		}
		iv, _ := f.c.registry.lookup("films")
		if j := newBrowseJob(iv, body, "", false); j.deep() != (c.offset > deepPage) {
			t.Errorf("%s: located %v", body, j.deep())
		}
		body = []byte(fmt.Sprintf(`{"id":1,"embedder":"e","offset":%d,"limit":%d}`, c.offset, c.limit))
		if p, a = f.page(f.read(&messages.Similar{IndexUID: "films", Body: body})); len(p.Hits) != max(c.shown-1, 0) {
			t.Errorf("%s: %d hits, %.200s", body, len(p.Hits), a.Body)
		}
	}
}

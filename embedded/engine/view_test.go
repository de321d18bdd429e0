package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func statsText(m map[string]FacetStats) string { return fmt.Sprint(m) }

func TestHitsAreFormatted(t *testing.T) {
	long := "one two three four five six seven eight nine ten eleven twelve thirteen"
	x := newIndex(t, nil,
		`{"id":1,"t":"The Été of lovers","n":12,"tags":["love","no love"],"o":{"p":"lovely","q":true}}`,
		`{"id":2,"t":"`+long+`"}`,
	)
	for _, c := range []struct {
		name, q, want string
		change        func(*Query)
	}{
		{"prefixes are marked in part, numbers become texts", "lov",
			`{"id":1,"_formatted":{"id":"1","t":"The Été of <em>lov</em>ers","n":"12","tags":["<em>lov</em>e","no <em>lov</em>e"],"o":{"p":"<em>lov</em>ely","q":true}}}`,
			func(q *Query) { q.AttributesToHighlight = []string{"*"} }},
		{"accents are marked whole", "ete",
			`{"id":1,"_formatted":{"id":"1","t":"The [Été] of lovers"}}`,
			func(q *Query) {
				q.AttributesToHighlight, q.HighlightPreTag, q.HighlightPostTag = []string{"t"}, "[", "]"
			}},
		{"typos are marked whole", "lovres",
			`{"id":1,"_formatted":{"id":"1","t":"The Été of <em>lovers</em>"}}`,
			func(q *Query) { q.AttributesToHighlight = []string{"t"} }},
		{"unknown attributes format nothing", "lov", `{"id":1}`,
			func(q *Query) { q.AttributesToHighlight = []string{"zzz"} }},
		{"cropped around the match", "seven",
			`{"id":2,"_formatted":{"id":"2","t":"…six seven eight…"}}`,
			func(q *Query) { q.AttributesToCrop, q.CropLength = []string{"t"}, 3 }},
		{"cropped from the start without one", "",
			`{"id":1,"_formatted":{"id":"1","t":"The Été…"}}`,
			func(q *Query) { q.AttributesToCrop = []string{"t:2"} }},
		{"places in bytes, of the last text that matches", "lov",
			`{"id":1,"_matchesPosition":{"o.p":[{"start":0,"length":3}],"t":[{"start":13,"length":3}],"tags":[{"start":3,"length":3,"indices":[1]}]}}`,
			func(q *Query) { q.ShowMatchesPosition = true }},
		{"a phrase is marked as one", `"two three" nine`,
			`{"id":2,"_formatted":{"id":"2","t":"one <em>two three</em>…"}}`,
			func(q *Query) {
				q.AttributesToCrop, q.AttributesToHighlight, q.CropLength = []string{"t"}, []string{"t"}, 3
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := NewQuery(c.q)
			q.AttributesToRetrieve, q.Limit = []string{"id"}, 1
			c.change(q)
			r := find(t, x, q)
			if len(r.Hits) == 0 {
				t.Fatal("no hits")
			}
			if got := string(r.Hits[0].Document); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAttributesAreSelected(t *testing.T) {
	doc := `{"id":1,"a":{"b":1,"c":{"d":2}},"l":[{"x":1,"y":2},{"y":3},4],"a.b":5}`
	for _, c := range []struct {
		name             string
		fields, displays []string
		want             string
	}{
		{"all", nil, nil, doc},
		{"none", []string{}, nil, `{}`},
		{"nested and dotted", []string{"a.b"}, nil, `{"a":{"b":1},"a.b":5}`},
		{"in arrays", []string{"l.x"}, nil, `{"l":[{"x":1}]}`},
		{"unknown ones do not count", []string{"zz", "id"}, nil, `{"id":1}`},
		{"within those displayed", []string{"id", "l"}, []string{"id", "a.c.d"}, `{"id":1}`},
		{"all displayed", nil, []string{"id", "a.c.d"}, `{"id":1,"a":{"c":{"d":2}}}`},
		{"a star is all displayed", []string{"*"}, []string{"id"}, `{"id":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newIndex(t, func(s *Settings) { s.DisplayedAttributes = c.displays }, doc)
			q := NewQuery("")
			q.AttributesToRetrieve = c.fields
			if got := string(find(t, x, q).Hits[0].Document); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDocumentsAreListed(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.DisplayedAttributes = []string{"id"}
		s.SortableAttributes = []string{"n"}
		s.FilterableAttributes = []FilterableRule{PlainFilterable("n")}
	}, `{"id":"a","n":3}`, `{"id":"b","n":1}`, `{"id":"c","n":2}`, `{"id":"d"}`)
	for _, c := range []struct {
		name string
		q    BrowseQuery
		want string
	}{
		{"all members, whatever is displayed", BrowseQuery{Limit: 1}, `4 {"id":"a","n":3}`},
		{"by ids, in insertion order, each once", BrowseQuery{Limit: 9, IDs: []string{"c", "a", "c", "zz"}, Fields: []string{"id"}}, `2 {"id":"a"}{"id":"c"}`},
		{"no ids, no documents", BrowseQuery{Limit: 9, IDs: []string{}}, `0 `},
		{"sorted", BrowseQuery{Limit: 9, Sort: []string{"n:desc"}, Fields: []string{"id"}}, `4 {"id":"a"}{"id":"c"}{"id":"b"}{"id":"d"}`},
		{"filtered with offset", BrowseQuery{Limit: 9, Offset: 1, Filter: "n >= 2", Fields: []string{"n"}}, `2 {"n":2}`},
		{"offset past the end", BrowseQuery{Limit: 9, Offset: 50}, `4 `},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, total, err := x.Documents(&c.q)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, d := range docs {
				b.Write(d)
			}
			if got := fmt.Sprintf("%d %s", total, b.String()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestFacetSearchFindsValues(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.FilterableAttributes = []FilterableRule{PlainFilterable("g"), {Patterns: []string{"no"}, Equality: true}}
	}, `{"id":1,"g":["Drama","Comedy"],"t":"x"}`, `{"id":2,"g":["drama",3]}`, `{"id":3,"g":["Comic","Musical"],"no":"x"}`)
	p := func(s string) *string { return &s }
	for _, c := range []struct {
		name string
		q    FacetQuery
		want string
	}{
		{"all strings", FacetQuery{}, "[{Comedy 1} {Comic 1} {Drama 2} {Musical 1}]"},
		{"by prefix", FacetQuery{FacetQuery: p("com")}, "[{Comedy 1} {Comic 1}]"},
		{"with a typo", FacetQuery{FacetQuery: p("musicl")}, "[{Musical 1}]"},
		{"among what the query finds", FacetQuery{Q: "x"}, "[{Comedy 1} {Comic 1} {Drama 1} {Musical 1}]"},
		{"and the filter leaves", FacetQuery{Filter: "g = comic"}, "[{Comic 1} {Musical 1}]"},
		{"numbers are never found", FacetQuery{FacetQuery: p("3")}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.FacetName = "g"
			got, err := x.FacetSearch(context.Background(), &c.q)
			if err != nil || fmt.Sprint(got) != c.want {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
	for name, want := range map[string]string{
		"zz": "Attribute `zz` is not facet-searchable. Available facet-searchable attributes patterns are: `g`. To make it facet-searchable add it to the `filterableAttributes` index settings.",
		"no": "Attribute `no` is not facet-searchable. Note: this attribute matches rule #1 in filterableAttributes, but this rule does not enable facetSearch.\nHint: enable facetSearch in rule #1 by adding `\"facetSearch\": true` to the rule.\nHint: prepend another rule matching no with facetSearch: true before rule #1",
	} {
		if _, err := x.FacetSearch(context.Background(), &FacetQuery{FacetName: name}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVectorsOrderHits(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.Embedders = map[string]Embedder{"e": {Dimensions: 2}}
		s.FilterableAttributes = []FilterableRule{PlainFilterable("n")}
	},
		`{"id":1,"t":"red","n":1,"_vectors":{"e":[1,0]}}`,
		`{"id":2,"t":"red red","n":2,"_vectors":{"e":[0,1]}}`,
		`{"id":3,"t":"blue","n":2,"_vectors":{"e":[[-1,0],[1,1]]}}`,
		`{"id":4,"t":"green","n":1,"_vectors":{"e":null}}`,
	)
	near := func(ratio float64) func(*Query) {
		return func(q *Query) { q.Vector, q.Hybrid = []float32{1, 0}, &Hybrid{"e", ratio} }
	}
	table(t, x, []searchRow{
		{"by similarity, those without last", "", "1 3 2 4", near(1)},
		{"words alone", "red", "1 2", near(0)},
		{"both, each once", "red", "1 2 3 4", near(0.3)},
	})
	q := NewQuery("red")
	near(0.5)(q)
	r := find(t, x, q)
	if r.SemanticHitCount == nil || *r.SemanticHitCount == 0 || r.Total != 4 {
		t.Errorf("semantic hits %v of %d", r.SemanticHitCount, r.Total)
	}
	s, err := x.Similar(context.Background(), &SimilarQuery{ID: "1", Embedder: "e", Limit: 10, ShowRankingScore: true, AttributesToRetrieve: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(s)+" "+string(s.Hits[1].Document), `2 3 {"id":3,"_rankingScore":0.0}`; got != want || s.Total != 3 {
		t.Errorf("similar: got %s of %d, want %s", got, s.Total, want)
	}
	for id, filter := range map[string]any{"9": nil, "1": "n = 2"} {
		if _, err := x.Similar(context.Background(), &SimilarQuery{ID: id, Embedder: "e", TargetFilter: filter}); err == nil || err.Error() != "Document `"+id+"` not found." {
			t.Errorf("similar to %s: %v", id, err)
		}
	}
}

func TestGeoSortMeasures(t *testing.T) {
	x := newIndex(t, func(s *Settings) { s.SortableAttributes = []string{"_geo"} },
		`{"id":1,"_geo":{"lat":0,"lng":1}}`, `{"id":2}`, `{"id":3,"_geo":{"lat":0,"lng":0}}`)
	table(t, x, []searchRow{
		{"nearest first", "", "3 1 2", func(q *Query) { q.Sort = []string{"_geoPoint(0, 0):asc"} }},
		{"farthest first, none last", "", "1 3 2", func(q *Query) { q.Sort = []string{"_geoPoint(0, 0):desc"} }},
	})
	q := NewQuery("")
	q.Sort, q.ShowRankingScoreDetails, q.Limit = []string{"_geoPoint(0,0):desc"}, true, 1
	want := `{"id":1,"_geo":{"lat":0,"lng":1},"_geoDistance":111195,"_rankingScoreDetails":{"_geoPoint(0, 0):desc":{"order":0,"value":{"lat":0.0,"lng":1.0},"distance":111194.927}}}`
	if got := string(find(t, x, q).Hits[0].Document); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestHugeTextsAreNoTrouble(t *testing.T) {
	big := strings.Repeat("word ", 200_000) + strings.Repeat("x", 1_000_000)
	x := newIndex(t, func(s *Settings) { s.FilterableAttributes = []FilterableRule{PlainFilterable("t")} }, `{"id":1,"t":"`+big+`"}`)
	q := NewQuery("word")
	q.AttributesToCrop, q.AttributesToHighlight = []string{"t"}, []string{"t"}
	q.AttributesToRetrieve = []string{"id"}
	if got := len(find(t, x, q).Hits[0].Document); got > 1000 {
		t.Errorf("cropped to %d bytes", got)
	}
	find(t, x, NewQuery(big))
	find(t, x, NewQuery(strings.Repeat(`"a `, 1000)))
	find(t, x, NewQuery("\xff\xfe\x00"))
}

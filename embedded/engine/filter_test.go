package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFiltersSelectDocuments(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.FilterableAttributes = []FilterableRule{PlainFilterable("a"), PlainFilterable("tags"), PlainFilterable("n"), PlainFilterable("sep"), PlainFilterable("_geo")}
		s.Embedders = map[string]Embedder{"e": {Dimensions: 1}}
	},
		`{"id":1,"a":{"b":"Red House","c":1},"tags":["x","Y"],"n":5,"sep":";;!","_geo":{"lat":48.85,"lng":2.35},"_vectors":{"e":[1]}}`,
		`{"id":2,"a":{"b":null,"c":[2,3]},"tags":[],"n":-1.5,"sep":";;?","_geo":{"lat":"51.5","lng":"-0.12"},"_vectors":{"e":null}}`,
		`{"id":3,"a":{},"tags":[{"k":"z"},{"k":7}],"n":"12","sep":";;","_vectors":{"e":[]}}`,
		`{"id":4,"tags":"","n":null,"_geo":null,"_vectors":{"e":[2]}}`,
		`{"id":5,"a":"plain","tags":[null,true],"n":[1,"two"],"_geo":{"lat":0,"lng":179},"_vectors":{"e":[3]}}`,
	)
	for _, c := range []struct {
		filter any
		want   string
	}{
		{"n = 5", "1"},
		{"n = 12", "3"},
		{"n = TWO", "5"},
		{"n != 5", "2 3 4 5"},
		{"n > 0 AND n <= 5", "1 3 5"},
		{"n 1 TO 5", "1 3 5"},
		{"n -2 TO 0", "2"},
		{"n < m", "3"},
		{"n IS NULL", "4"},
		{"n EXISTS", "1 2 3 4 5"},
		{"a EXISTS", "1 2 3 5"},
		{"a NOT EXISTS", "4"},
		{"a IS EMPTY", "3"},
		{"a.b = 'red house'", "1"},
		{"a.b IS NULL", "2"},
		{"a.c >= 2", "2"},
		{"a.c IN [1, 3]", "1 2"},
		{"a = plain", "5"},
		{"tags = y", "1"},
		{"tags = true", "5"},
		{"tags IS EMPTY", "2 4"},
		{"tags.k = Z", "3"},
		{"tags.k > 6", "3"},
		{"tags IS NULL", ""},
		{`sep = ";;!"`, "1"},
		{`sep IN [";;!", ";;"]`, "1 3"},
		{`sep STARTS WITH ";;"`, "1 2 3"},
		{"a.b CONTAINS HOU", "1"},
		{"NOT n = 5", "2 3 4 5"},
		{"n = 5 OR a.c = 2 AND n < 0", "1 2"},
		{[]any{[]any{"n = 5", "n = 12"}, "sep EXISTS"}, "1 3"},
		{"_geoRadius(48.85, 2.35, 1000)", "1"},
		{"_geoRadius(50, 1, 300000)", "1 2"},
		{"_geoBoundingBox([60, 5], [40, -5])", "1 2"},
		{"_geoBoundingBox([10, -170], [-10, 170])", "5"},
		{"_vectors EXISTS", "1 4 5"},
		{"_vectors.e NOT EXISTS", "2 3"},
		{nil, "1 2 3 4 5"},
	} {
		q := NewQuery("")
		q.Filter = c.filter
		if got := ids(find(t, x, q)); got != c.want {
			t.Errorf("%v: got %q, want %q", c.filter, got, c.want)
		}
		list, err := x.MatchIDs(c.filter)
		if got := strings.Join(list, " "); err != nil || got != c.want {
			t.Errorf("%v: ids %q, %v, want %q", c.filter, got, err, c.want)
		}
	}
	for filter, want := range map[string]string{
		"_geoRadius(91, 0, 1)":              "Bad latitude `91`. Latitude must be contained between -90 and 90 degrees.\n12:14 _geoRadius(91, 0, 1)",
		"_geoRadius(1, 190, 1)":             "Bad longitude `190`. Longitude must be contained between -180 and 180 degrees. Hint: try using `-170` instead.\n15:18 _geoRadius(1, 190, 1)",
		"_geoBoundingBox([1, 1], [2, 2])":   "The top latitude `1` is below the bottom latitude `2`.\n29:30 _geoBoundingBox([1, 1], [2, 2])",
		"_geoPolygon([1,1],[2,2],[3,3])":    "Attribute `_geojson` is not filterable. Available filterable attribute patterns are: `_geo`, `a`, `n`, `sep`, `tags`.\n14:15 _geoPolygon([1,1],[2,2],[3,3])",
		"_vectors.nope EXISTS":              "The embedder `nope` does not exist. Available embedders are: `e`.\n10:14 _vectors.nope EXISTS",
		"n = 1 AND (x = 2 OR other EXISTS)": "Attribute `x` is not filterable. Available filterable attribute patterns are: `_geo`, `a`, `n`, `sep`, `tags`.\n12:13 n = 1 AND (x = 2 OR other EXISTS)",
	} {
		_, err := x.MatchIDs(filter)
		var e *Error
		if !errors.As(err, &e) || e.Message != want || e.Code != "invalid_document_filter" || !e.OfIndex {
			t.Errorf("%s: got %v\nwant %s", filter, err, want)
		}
	}
}

func TestPatternsDecideWhatIsFilterable(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.FilterableAttributes = []FilterableRule{
			{Patterns: []string{"a.secret"}},
			{Patterns: []string{"a.*"}, Equality: true},
			PlainFilterable("*"),
		}
	}, `{"id":1,"a":{"secret":1,"open":1},"b":1,"*":1}`)
	for filter, ok := range map[string]bool{"a.open = 1": true, "a.secret = 1": false, "a = 1": false, "b = 1": false, `"*" = 1`: false} {
		_, err := x.MatchIDs(filter)
		if strings.HasPrefix(filter, `"*"`) {
			ok = err == nil // a name with a star cannot be told from a bad one here
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestFacetsCountCandidates(t *testing.T) {
	docs := []string{
		`{"id":1,"g":["Drama","comedy"],"y":2001,"o":{"p":1}}`,
		`{"id":2,"g":"drama","y":10}`,
		`{"id":3,"g":["Comedy"],"y":2}`,
		`{"id":4,"y":"unknown"}`,
		`{"id":5,"g":true,"y":1.5}`,
	}
	rules := []FilterableRule{PlainFilterable("g"), PlainFilterable("y"), PlainFilterable("o"), PlainFilterable("unused")}
	for _, c := range []struct {
		name   string
		facets []string
		q      func(*Query)
		change func(*Settings)
		want   string
	}{
		{"alphabetical, as first written", []string{"g"}, nil, nil, `{"g":{"comedy":2,"Drama":2,"true":1}} map[]`},
		{"numbers by their text, then strings", []string{"y"}, nil, nil, `{"y":{"1.5":1,"10":1,"2":1,"2001":1,"unknown":1}} map[y:{1.5 2001}]`},
		{"by count", []string{"g"}, nil, func(s *Settings) { s.SortFacetValuesBy = map[string]string{"*": "alpha", "g": "count"} }, `{"g":{"Drama":2,"comedy":2,"true":1}} map[]`},
		{"no more than allowed", []string{"y"}, nil, func(s *Settings) { s.MaxValuesPerFacet = 2 }, `{"y":{"1.5":1,"10":1}} map[y:{1.5 2001}]`},
		{"only candidates, in their spelling", []string{"g"}, func(q *Query) { q.Filter = "y < 100" }, nil, `{"g":{"Comedy":1,"drama":1,"true":1}} map[]`},
		{"a parent names what is nested", []string{"o"}, nil, nil, `{"o":{},"o.p":{"1":1}} map[o.p:{1 1}]`},
		{"unknown fields are left out", []string{"unused"}, nil, nil, `{} map[]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newIndex(t, func(s *Settings) {
				s.FilterableAttributes = rules
				if c.change != nil {
					c.change(s)
				}
			}, docs...)
			q := NewQuery("")
			q.Facets = c.facets
			if c.q != nil {
				c.q(q)
			}
			r := find(t, x, q)
			b, err := r.FacetDistribution.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b) + " " + statsText(r.FacetStats); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestFacetsLeaveOutWhatHasGone counts over documents found before some were deleted.
func TestFacetsLeaveOutWhatHasGone(t *testing.T) {
	var docs []string
	for i := range 600 { // many values: counted document by document
		docs = append(docs, fmt.Sprintf(`{"id":%d,"tag":"t%d"}`, i, i))
	}
	x := newIndex(t, func(s *Settings) {
		s.FilterableAttributes = []FilterableRule{{Patterns: []string{"tag"}, Equality: true}}
		s.MaxValuesPerFacet = 1000
	}, docs...)
	r := find(t, x, NewQuery(""))
	apply(t, x, Op{Kind: OpDelete, ID: "3"}, Op{Kind: OpDelete, ID: "7"})
	dist, _, err := x.Facets([]string{"tag"}, r.Candidates)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(dist[0].Values); n != 598 {
		t.Errorf("%d values are left, want 598", n)
	}
}

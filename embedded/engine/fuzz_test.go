package engine

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// fuzzIndex has a bit of everything a query can stumble over.
func fuzzIndex(t testing.TB) *Index {
	return newIndex(t, func(s *Settings) {
		s.SearchableAttributes = []string{"title", "text", "tags"}
		s.FilterableAttributes = []FilterableRule{PlainFilterable("year"), PlainFilterable("tags"), PlainFilterable("title"), PlainFilterable("_geo"),
			PlainFilterable("nest")}
		s.SortableAttributes = []string{"year", "_geo"}
		s.StopWords = []string{"the", "of"}
		s.Synonyms = map[string][]string{"wolverine": {"xmen", "logan"}, "new york": {"nyc"}, "nyc": {"new york city", "big apple"}}
	},
		`{"id":1,"title":"The Lord of the Rings","text":"One ring to rule them all, one ring to find them.","tags":["fantasy","epic"],"year":2001}`,
		`{"id":2,"title":"Sunflower sun flower","text":"a sunflower in the sun; flowers of New York","tags":["plant"],"year":-3.5,"nest":{"a":{"b":[1,"x",null]}}}`,
		`{"id":3,"title":"北京タワー","text":"été à la plage l'été","tags":[],"year":null,"_geo":{"lat":48.1,"lng":2.3}}`,
		`{"id":4,"title":"nyc","text":"big apple, new york city","tags":"city","year":"1999","_geo":{"lat":-89,"lng":179.99}}`,
		`{"id":5,"title":"Logan","text":"wolverine wolverine wolverines ring","tags":["xmen",7,true],"nest":{}}`,
		`{"id":6}`, `{"id":7,"title":"","text":["one",["ring",{"deep":"rings"}]],"nest":[]}`)
}

// FuzzQuery searches with arbitrary texts: whatever they hold, the answer comes soon and is a sound one, and the same from
// lists as when all documents are visited.
func FuzzQuery(f *testing.F) {
	for i, q := range []string{"the lord of the rings", `"one ring" -find`, `sun flower`, `-"new york" nyc`, "wolverin", `"`, `""`, `"" ""`, "- -", "-the", "the", `"the of"`,
		"北京タ", "l'été", "a.b.c;d!e?f", "new york city big apple nyc new york", `"ring`, "rings ring ring ring ring ring ring ring ring ring ring", "\x00", "\xff\xfe", "ﬁ ½ ǆ",
		"suunflowr sonflower", `a"b"c`, `one "ring to" rule`, "x-y -z", "ring-", "ا ل م"} {
		f.Add(q, uint8(i))
	}
	x := fuzzIndex(f)
	x.core.columns.least = 0
	f.Fuzz(func(t *testing.T, text string, how uint8) {
		q := NewQuery(text)
		q.Limit = int(how % 8)
		q.MatchingStrategy = []MatchingStrategy{MatchLast, MatchAll, MatchFrequency}[how%3]
		q.ShowMatchesPosition, q.ShowRankingScore, q.ShowRankingScoreDetails = true, true, true
		q.AttributesToHighlight, q.AttributesToCrop, q.Facets = []string{"*"}, []string{"text:3", "title"}, []string{"_geo", "nest", "tags", "title", "year"}
		if how&16 != 0 {
			q.AttributesToSearchOn = []string{"title"}
		}
		if how&32 != 0 {
			q.Sort = []string{"year:desc", "_geoPoint(48, 2):asc"}
		}
		if how&64 != 0 {
			q.Distinct = "tags"
		}
		started := time.Now()
		res, err := x.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Fatalf("%q took %s", text, took)
		}
		if len(res.Hits) > q.Limit || len(res.Hits) > res.Total || res.Total > 7 {
			t.Fatalf("%q: %d hits of %d, limit %d", text, len(res.Hits), res.Total, q.Limit)
		}
		sameVisiting(t, x, q, res)
		seen := make(map[string]bool)
		for _, h := range res.Hits {
			if !json.Valid(h.Document) || seen[h.ID] || !(h.Score >= 0 && h.Score <= 1) {
				t.Fatalf("%q: hit %s with score %v: %s", text, h.ID, h.Score, h.Document)
			}
			seen[h.ID] = true
			for i := range h.Scores {
				if s := &h.Scores[i]; s.ranks() && (s.Rank > s.Max || s.Local() > 1) {
					t.Fatalf("%q: rule %s of %s has rank %d of %d", text, s.Key, h.ID, s.Rank, s.Max)
				}
			}
		}
		facets, err := x.FacetSearch(context.Background(), &FacetQuery{FacetName: "tags", FacetQuery: &text})
		if err != nil || len(facets) > 9 {
			t.Fatalf("facet search %q: %v %v", text, facets, err)
		}
	})
}

// FuzzFilter evaluates arbitrary filters: a filter and its negation share the documents out between them.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"year > 2000 OR tags = epic", "tags IN [a, 'epic'] AND NOT year EXISTS", "title STARTS WITH 'the l'", "_geoRadius(48,2,100000)",
		"_geoBoundingBox([90,180],[-90,-180])", "year 1 TO 1e400", "nest.a.b IS NULL", "tags IS EMPTY", "_geoPolygon([1,2],[3,4],[5,6])", "year = -0", "year >= inf",
		"_geoBoundingBox([1,-179],[-1,179])", "title CONTAINS ring", "nest.a EXISTS", "year != 2001", `tags = "\u{41}"`} {
		f.Add(s)
	}
	x := fuzzIndex(f)
	count := func(text string) (int, error) {
		q := NewQuery("")
		q.Filter = text
		res, err := x.Search(context.Background(), q)
		if err != nil {
			return 0, err
		}
		return res.Total, nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := count("(" + text + ")")
		var refused *Error
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		m, err := count("NOT (" + text + ")")
		if err != nil {
			if errors.As(err, &refused) {
				return // one level deeper than may be
			}
			t.Fatalf("%q: %v", text, err)
		}
		if n+m != 7 && n+m != 14 { // an empty filter is none, and so is its negation
			t.Fatalf("%q finds %d, its negation %d of 7", text, n, m)
		}
	})
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"
)

func find(t testing.TB, x *Index, q *Query) *Result {
	t.Helper()
	r, err := x.Search(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(r *Result) string {
	s := make([]string, len(r.Hits))
	for i, h := range r.Hits {
		s[i] = h.ID
	}
	return strings.Join(s, " ")
}

// table runs queries against one index and compares the ids found.
func table(t *testing.T, x *Index, rows []searchRow) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			q := NewQuery(c.q)
			if c.change != nil {
				c.change(q)
			}
			if got := ids(find(t, x, q)); got != c.want {
				t.Errorf("%q: got %q, want %q", c.q, got, c.want)
			}
		})
	}
}

type searchRow struct {
	name, q, want string
	change        func(*Query)
}

func TestWordsAreMatched(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.Synonyms = map[string][]string{"movie": {"film"}, "big apple": {"new york"}, "nyc": {"new york"}}
	},
		`{"id":1,"t":"The sunflower of Paris"}`,
		`{"id":2,"t":"sun flower"}`,
		`{"id":3,"t":"flower of the sun"}`,
		`{"id":4,"t":"a film about New York"}`,
		`{"id":5,"t":"Été à la plage 2020"}`,
		`{"id":6,"t":["first value","second value"]}`,
		`{"id":7,"n":42,"b":true,"t":"marker-only"}`,
		`{"id":8,"t":";;,!?"}`,
	)
	all := func(q *Query) { q.MatchingStrategy = MatchAll }
	table(t, x, []searchRow{
		{"a blank query finds all in order", "  ", "1 2 3 4 5 6 7 8", nil},
		{"separators alone are blank", ";!? ", "1 2 3 4 5 6 7 8", nil},
		{"a prefix of the last word", "sunf", "1", nil},
		{"no prefix before a space", "sunf ", "", nil},
		{"no prefix but the last word", "sunf paris", "", all},
		{"one typo in five letters", "flowr", "3 2", nil},
		{"no typo in four letters", "fiml", "", nil},
		{"a typo in the first letter counts twice", "glower", "", nil},
		{"two typos in nine letters", "sunflowwwer", "1", nil},
		{"a swap is one typo", "folwer", "3 2", nil},
		{"words joined in the document", "sun flower", "2 3 1", nil},
		{"words joined in the query", "sunflower", "1 2", nil},
		{"a synonym in one direction", "movie", "4", nil},
		{"not in the other", "york nyc", "4", nil},
		{"a synonym of several words", "nyc", "4", nil},
		{"a synonym for several words", "big apple", "4", all},
		{"accents do not matter", "ete", "5", nil},
		{"numbers are words", "42", "7", nil},
		{"so are booleans", "true", "7", nil},
		{"a phrase wants neighbours", `"flower of"`, "3", nil},
		{"not across values", `"value second"`, "", nil},
		{"an open quote reaches to the end", `"sun flower`, "2", nil},
		{"a phrase has no prefix and no typos", `"sun flowe"`, "", nil},
		{"a word may be excluded", "sun -paris -of", "2", nil},
		{"so may a phrase", `sun -"the sun"`, "2", nil},
		{"exclusion alone keeps the rest", "-sun -flower -film", "1 5 6 7 8", nil},
		{"a minus inside a word is none", "marker-only", "7", nil},
		{"the last words may be missing", "flower nothing here", "3 2", nil},
		{"all words wanted", "flower nothing", "", all},
		{"frequent words go first", "the paris", "1", func(q *Query) { q.MatchingStrategy = MatchFrequency }},
		{"only in some attributes", "film", "", func(q *Query) { q.AttributesToSearchOn = []string{"n"} }},
		{"offset and limit", "", "3 4", func(q *Query) { q.Offset, q.Limit = 2, 2 }},
	})
}

// Words that cannot be meant by another one do not use up how many are looked at.
func TestWordsWithoutTyposAreNotCounted(t *testing.T) {
	var docs []string
	for i, r := range "0123456789abcdefghijklmnopqrstuvwxyz" {
		var words []string
		for at := 1; at <= 5; at++ {
			words = append(words, "horse"[:at]+string(r)+"horse"[at:])
		}
		docs = append(docs, fmt.Sprintf(`{"id":%d,"c":"%s"}`, 100+i, strings.Join(words, " ")))
	}
	x := newIndex(t, func(s *Settings) {
		s.Typo.DisableOnAttributes, s.Typo.DisableOnNumbers = []string{"c"}, true
	}, append(docs, `{"id":1,"t":"hzrse"}`, `{"id":2,"t":"1985"}`)...)
	table(t, x, []searchRow{
		{"behind many words of an attribute without typos", "horse ", "1", nil},
		{"a number is not meant", "1985a ", "", nil},
	})
}

// TestFrequencyCountsTheDocumentsHere asks two indexes, in which other words are frequent.
func TestFrequencyCountsTheDocumentsHere(t *testing.T) {
	q := NewQuery("moon river")
	q.MatchingStrategy = MatchFrequency
	for frequent, rare := range map[string]string{"moon": "river", "river": "moon"} {
		docs := []string{fmt.Sprintf(`{"id":0,"a":%q}`, rare), `{"id":1,"a":"moon river"}`}
		for i := range 3 {
			docs = append(docs, fmt.Sprintf(`{"id":%d,"a":%q}`, i+2, frequent))
		}
		if got := ids(find(t, newIndex(t, nil, docs...), q)); got != "1 0" {
			t.Errorf("%s is frequent: found %q, want the two with %s", frequent, got, rare)
		}
	}
}

func TestRankingRulesOrderHits(t *testing.T) {
	docs := []string{
		`{"id":1,"a":"far away from the red house","b":"","n":3}`,
		`{"id":2,"a":"house red","b":"","n":1}`,
		`{"id":3,"a":"red house","b":"","n":2}`,
		`{"id":4,"a":"red old big house","b":"","n":2}`,
		`{"id":5,"a":"","b":"red house","n":9}`,
		`{"id":6,"a":"rad house","b":""}`,
		`{"id":7,"a":"red","b":"","n":"text"}`,
	}
	with := func(rules ...string) *Index {
		return newIndex(t, func(s *Settings) {
			s.SearchableAttributes = []string{"a", "b"}
			s.SortableAttributes = []string{"n"}
			if rules != nil {
				s.RankingRules = rules
			}
		}, docs...)
	}
	sorted := func(list ...string) func(*Query) { return func(q *Query) { q.Sort = list } }
	table(t, with(), []searchRow{
		{"default rules", "red house", "3 1 5 2 4 7", nil},
		{"sort comes before positions", "red house", "3 1 5 2 4 7", sorted("n:asc")},
		{"numbers before strings, missing last", "", "2 3 4 1 5 7 6", sorted("n:asc")},
		{"also downwards", "", "5 1 3 4 2 7 6", sorted("n:desc")},
	})
	table(t, with("sort", "words", "typo"), []searchRow{
		{"sort first", "red house", "5 1 3 4 2 7", sorted("n:desc")},
	})
	table(t, with("n:desc", "words"), []searchRow{
		{"a custom rule", "red house", "5 1 3 4 2 7", nil},
		{"a custom rule without words", "", "5 1 3 4 2 7 6", nil},
	})
	table(t, with("words", "exactness"), []searchRow{
		{"whole attribute first", "red house", "3 5 1 2 4 7", nil},
	})
	table(t, with("words", "attribute"), []searchRow{
		{"best attribute, then position", "red house", "3 2 4 1 5 7", nil},
	})
	table(t, with(), []searchRow{
		{"ties keep the order of insertion", "", "1 2 3 4 5 6 7", nil},
	})
}

func TestScoreDetailsNameEachRule(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.SearchableAttributes = []string{"a", "b"}
		s.SortableAttributes = []string{"n", "hidden"}
		s.DisplayedAttributes = []string{"id", "a", "n"}
	}, `{"id":1,"a":"red house","n":3,"hidden":1}`, `{"id":2,"b":"house blue redd"}`)
	q := NewQuery("red house")
	q.ShowRankingScore, q.ShowRankingScoreDetails, q.Sort = true, true, []string{"n:asc", "hidden:desc"}
	r := find(t, x, q)
	want := []string{
		`{"id":1,"a":"red house","n":3,"_rankingScore":1.0,"_rankingScoreDetails":{` +
			`"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},` +
			`"typo":{"order":1,"typoCount":0,"maxTypoCount":2,"score":1.0},` +
			`"proximity":{"order":2,"score":1.0},"attributeRank":{"order":3,"score":1.0},` +
			`"n:asc":{"order":4,"value":3.0},"<hidden-rule-5>":{"order":5,"value":"<hidden>"},` +
			`"wordPosition":{"order":6,"score":1.0},"exactness":{"order":7,"matchType":"exactMatch","score":1.0}}}`,
	}
	for i, w := range want {
		if got := string(r.Hits[i].Document); got != w {
			t.Errorf("hit %d:\n got %s\nwant %s", i, got, w)
		}
	}
}

func TestTotalsAndPages(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.MaxTotalHits = 3
		s.FilterableAttributes = []FilterableRule{PlainFilterable("g")}
	}, `{"id":1,"g":"a"}`, `{"id":2,"g":"A"}`, `{"id":3,"g":"b"}`, `{"id":4}`, `{"id":5,"g":["b","c"]}`)
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		name   string
		change func(*Query)
		want   string
	}{
		{"totals are not capped, hits are", func(q *Query) {}, "[1 2 3] 5 0/20"},
		{"as older servers cap", func(q *Query) { q.CapTotals, q.Offset = true, 9 }, "[] 3 3/20"},
		{"limit 0 still counts", func(q *Query) { q.Limit = 0 }, "[] 5 0/0"},
		{"a page", func(q *Query) { q.Page, q.HitsPerPage = n(2), n(2) }, "[3] 5 page 2 of 3 by 2"},
		{"page 0 is empty", func(q *Query) { q.Page = n(0) }, "[] 5 page 0 of 1 by 20"},
		{"no hits per page, no pages", func(q *Query) { q.HitsPerPage = n(0) }, "[] 5 page 1 of 0 by 0"},
		{"distinct keeps the first of each value", func(q *Query) { q.Distinct = "g" }, "[1 3 4] 3 0/20"},
		{"and counts all in page mode", func(q *Query) { q.Distinct, q.Page, q.HitsPerPage = "g", n(1), n(1) }, "[1] 3 page 1 of 3 by 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := NewQuery("")
			c.change(q)
			r := find(t, x, q)
			got := fmt.Sprintf("[%s] %d %d/%d", ids(r), r.Total, r.Offset, r.Limit)
			if r.Paged {
				got = fmt.Sprintf("[%s] %d page %d of %d by %d", ids(r), r.Total, r.Page, r.TotalPages, r.HitsPerPage)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestThresholdDropsPoorHits(t *testing.T) {
	x := newIndex(t, nil, `{"id":1,"t":"red house"}`, `{"id":2,"t":"red"}`, `{"id":3,"t":"red houses"}`)
	q := NewQuery("red house")
	limit := 0.6
	q.RankingScoreThreshold = &limit
	if r := find(t, x, q); ids(r) != "1 3" || r.Total != 2 {
		t.Errorf("got %s of %d", ids(r), r.Total)
	}
}

func TestRequestsAreRefusedInTheServersWords(t *testing.T) {
	x := newIndex(t, func(s *Settings) {
		s.SearchableAttributes = []string{"a"}
		s.FilterableAttributes = []FilterableRule{PlainFilterable("f"), {Patterns: []string{"p*"}, Equality: true}}
		s.SortableAttributes = []string{"n", "secret"}
		s.DisplayedAttributes = []string{"a", "n"}
		s.Embedders = map[string]Embedder{"e": {Dimensions: 2}}
	}, `{"id":1,"a":"x","price":1,"f":1,"_vectors":{"e":[1,2]}}`)
	for _, c := range []struct {
		name    string
		change  func(*Query)
		code    string
		message string
		ofIndex bool
	}{
		{"filter on another field", func(q *Query) { q.Filter = "nope = 1" }, "invalid_search_filter",
			"Attribute `nope` is not filterable. Available filterable attribute patterns are: `f`, `p*`.\n2:6 \"nope\" = \"1\"", true},
		{"filter syntax", func(q *Query) { q.Filter = "f =" }, "invalid_search_filter",
			"Was expecting a value but instead got nothing.\n4:4 f =", false},
		{"comparison not enabled", func(q *Query) { q.Filter = "price > 1" }, "invalid_search_filter",
			"Filter operator `>` is not allowed for the attribute `price`.\n  - Note: allowed operators: OR, AND, NOT, =, !=, IN, IS EMPTY, IS NULL, EXISTS.\n  - Note: field `price` matched rule #1 in `filterableAttributes`\n  - Hint: enable comparison in rule #1 by modifying the features.filter object\n  - Hint: prepend another rule matching `price` with appropriate filter features before rule #1", true},
		{"sort field", func(q *Query) { q.Sort = []string{"x:asc"} }, "invalid_search_sort",
			"Attribute `x` is not sortable. Available sortable attributes are: `n, <..hidden-attributes>`.", true},
		{"sort syntax", func(q *Query) { q.Sort = []string{"x"} }, "invalid_search_sort",
			"Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `x`.", false},
		{"facets", func(q *Query) { q.Facets = []string{"z"} }, "invalid_search_facets",
			"Invalid facet distribution: Pattern `z` is not filterable. Available filterable attributes patterns are: `f, p*`.", false},
		{"distinct", func(q *Query) { q.Distinct = "z" }, "invalid_search_distinct",
			"Attribute `z` is not filterable and thus, cannot be used as distinct attribute. This index does not have configured filterable attributes.", true},
		{"searched attribute", func(q *Query) { q.AttributesToSearchOn = []string{"z"} }, "invalid_search_attributes_to_search_on",
			"Attribute `z` is not searchable. Available searchable attributes are: `a`.", true},
		{"embedder", func(q *Query) { q.Hybrid = &Hybrid{"z", 1} }, "invalid_search_embedder", "Cannot find embedder with name `z`.", false},
		{"dimensions", func(q *Query) { q.Hybrid, q.Vector = &Hybrid{"e", 1}, []float32{1} }, "invalid_vector_dimensions",
			"Invalid vector dimensions: expected: `2`, found: `1`.", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := NewQuery("x")
			c.change(q)
			_, err := x.Search(context.Background(), q)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Code != c.code || e.Message != c.message || e.OfIndex != c.ofIndex {
				t.Errorf("got %s %v\n%s\nwant %s %v\n%s", e.Code, e.OfIndex, e.Message, c.code, c.ofIndex, c.message)
			}
		})
	}
}

func TestACancelledSearchEnds(t *testing.T) {
	x := newIndex(t, func(s *Settings) { s.SortableAttributes = []string{"id"} })
	var ops []Op
	for i := range 3000 {
		ops = append(ops, put(fmt.Sprint(i), fmt.Sprintf(`{"id":%d}`, i)))
	}
	apply(t, x, ops...)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("client left")
	cancel(why)
	q := NewQuery("")
	q.Sort = []string{"id:desc"}
	if _, err := x.Search(ctx, q); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// TestShardsScoreLikeOne splits real documents over three indexes: a document
// must score the same in its shard as among all.
func TestShardsScoreLikeOne(t *testing.T) {
	docs := loadData(t, "movies")[:3000]
	s := DefaultSettings()
	s.Even = true
	s.SearchableAttributes = []string{"title", "overview", "cast"}
	one := New(s)
	ops := putAll(t, docs, "id").Ops
	apply(t, one, ops...)
	shards := []*Index{New(s), New(s), New(s)}
	parts := make([][]Op, len(shards))
	for i, op := range ops {
		parts[i%3] = append(parts[i%3], op)
	}
	for i, x := range shards {
		apply(t, x, parts[i]...)
	}
	rng := rand.New(rand.NewSource(2))
	asked, compared := 0, 0
	for asked < 150 {
		words := strings.Fields(string(docs[rng.Intn(len(docs))]))
		if len(words) < 12 {
			continue
		}
		at := rng.Intn(len(words) - 2)
		q := NewQuery(strings.Join(words[at:at+1+rng.Intn(2)], " "))
		q.Limit = 1000
		asked++
		whole := find(t, one, q)
		total := 0
		scores := make(map[string]float64)
		for _, x := range shards {
			r := find(t, x, q)
			total += r.Total
			for _, h := range r.Hits {
				scores[h.ID] = h.Score
			}
		}
		if total != whole.Total {
			t.Logf("%q: %d in shards, %d in one", q.Q, total, whole.Total)
		}
		for _, h := range whole.Hits {
			got, ok := scores[h.ID]
			if !ok {
				continue // beyond the limit of its shard, or split into other words
			}
			compared++
			if math.Abs(got-h.Score) > 1e-12 {
				t.Errorf("%q: document %s scores %v in its shard, %v in one", q.Q, h.ID, got, h.Score)
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d scores compared", compared)
	}
}

func TestMoviesAreFound(t *testing.T) {
	x := movies(t)
	for q, want := range map[string]string{
		"star wars": "Star Wars", "humphry bogart casablnca": "Casablanca", "the lord of the rings": "The Lord of the Rings", "love story": "Love Story",
	} {
		query := NewQuery(q)
		query.AttributesToRetrieve = []string{"title"}
		if got, want := string(find(t, x, query).Hits[0].Document), `{"title":"`+want+`"}`; got != want {
			t.Errorf("%s: got %s, want %s", q, got, want)
		}
	}
	apply(t, x, put("1", `{"id":1,"title":"blorbleberg"}`))
	if got := ids(find(t, x, NewQuery("blorblebreg"))); got != "1" {
		t.Errorf("a new word is not found: %q", got)
	}
	if x.Len() != 36273 {
		t.Errorf("%d documents", x.Len())
	}
}

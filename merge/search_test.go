package merge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// answer is a decoded search answer.
type answer struct {
	Hits               []map[string]any `json:"hits"`
	EstimatedTotalHits int              `json:"estimatedTotalHits"`
	TotalHits          int              `json:"totalHits"`
	TotalPages         int              `json:"totalPages"`
	ProcessingTimeMs   int              `json:"processingTimeMs"`
	Offset             int              `json:"offset"`
	SemanticHitCount   *int             `json:"semanticHitCount"`
}

func search(t testing.TB, spec *SearchSpec, legs ...string) (string, answer) {
	t.Helper()
	bodies := make([][]byte, len(legs))
	for i, l := range legs {
		bodies[i] = []byte(l)
	}
	return searchBytes(t, spec, bodies)
}

func searchBytes(t testing.TB, spec *SearchSpec, legs [][]byte) (string, answer) {
	t.Helper()
	out, err := Search(nil, spec, legs)
	if err != nil {
		t.Fatalf("merge: %v", err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("merged answer is not JSON: %v\n%s", err, out)
	}
	return string(out), a
}

func ids(a answer) []int {
	var out []int
	for _, h := range a.Hits {
		out = append(out, int(h["id"].(float64)))
	}
	return out
}

// checkSplit compares one random search with the oracle.
func checkSplit(t *testing.T, r *rand.Rand, s shape, n, legs, offset, limit int) {
	t.Helper()
	hits := s.generate(r, n)
	want := oracleOrder(s.rules, hits)
	spec := &SearchSpec{Offset: offset, Limit: limit, MaxTotalHits: 1000, RequestUID: "u"}
	// Ties in foreign order may be cut off by a node's limit, which no merge can know; so legs are whole here.
	bodies := split(r, s.rules, hits, want, legs, -1, "")
	out, a := searchBytes(t, spec, bodies)
	page := want[min(offset, len(want)):min(offset+limit, len(want))]
	if got := ids(a); !slices.Equal(got, page) {
		t.Fatalf("%s, %d hits in %d legs, offset %d limit %d: order\n got %v\nwant %v", s.name, n, legs, offset, limit, got, page)
	}
	if a.EstimatedTotalHits != n {
		t.Fatalf("total %d, want %d", a.EstimatedTotalHits, n)
	}
	if strings.Contains(out, "_miroir_") || strings.Contains(out, "_rankingScore") {
		t.Fatalf("a member of ours is visible: %s", out)
	}
	r.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	if again, _ := searchBytes(t, spec, bodies); again != out {
		t.Fatalf("other order of legs, other bytes:\n%s\n%s", out, again)
	}
}

func TestAnySplitMergesToTheOrderOfOneNode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			for range 60 {
				checkSplit(t, r, s, r.IntN(60), 1+r.IntN(12), r.IntN(30), r.IntN(40))
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(20), uint8(3), uint8(0), uint8(20))
	f.Fuzz(func(t *testing.T, seed uint64, kind, n, legs, offset, limit uint8) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := shapes[int(kind)%len(shapes)]
		checkSplit(t, r, s, int(n)%80, 1+int(legs)%12, int(offset)%90, int(limit)%90)
	})
}

// answerOf makes a leg from hit bodies.
func answerOf(total int, hits ...string) string {
	return fmt.Sprintf(`{"hits":[%s],"query":"q","processingTimeMs":3,"limit":20,"offset":0,"estimatedTotalHits":%d}`,
		strings.Join(hits, ","), total)
}

func doc(id int, details string) string {
	return fmt.Sprintf(`{"id":%d,"_miroir_seq":"%04d","_miroir_shard":";","_rankingScoreDetails":{%s}}`, id, id, details)
}

func TestRuleOrders(t *testing.T) {
	tests := []struct{ name, first, second string }{
		{"more matching words win", `"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0}`,
			`"words":{"order":0,"matchingWords":1,"maxMatchingWords":2,"score":0.5}`},
		{"fewer typos win even with the lower score", `"typo":{"order":0,"typoCount":1,"maxTypoCount":1,"score":0.5}`,
			`"typo":{"order":0,"typoCount":2,"maxTypoCount":9,"score":0.8}`},
		{"larger proximity score wins", `"proximity":{"order":0,"score":0.9}`, `"proximity":{"order":0,"score":0.89999}`},
		{"larger attribute rank wins", `"attributeRank":{"order":0,"score":1.0}`, `"attributeRank":{"order":0,"score":0.5}`},
		{"larger word position wins", `"wordPosition":{"order":0,"score":1}`, `"wordPosition":{"order":0,"score":0.5}`},
		{"attribute compares its order before its distance",
			`"attribute":{"order":0,"attributeRankingOrderScore":1.0,"queryWordDistanceScore":0.1,"score":0.1}`,
			`"attribute":{"order":0,"attributeRankingOrderScore":0.5,"queryWordDistanceScore":0.9,"score":0.9}`},
		{"an exact match beats a matching start", `"exactness":{"order":0,"matchType":"exactMatch","score":1.0}`,
			`"exactness":{"order":0,"matchType":"matchesStart","score":0.6}`},
		{"a matching start beats exact words", `"exactness":{"order":0,"matchType":"matchesStart","score":0.6}`,
			`"exactness":{"order":0,"matchType":"noExactMatch","matchingWords":9,"maxMatchingWords":9,"score":0.3}`},
		{"more exact words win", `"exactness":{"order":0,"matchType":"noExactMatch","matchingWords":2,"maxMatchingWords":3,"score":0.3}`,
			`"exactness":{"order":0,"matchType":"noExactMatch","matchingWords":1,"maxMatchingWords":3,"score":0.2}`},
		{"ascending: the smaller number", `"p:asc":{"order":0,"value":2.0}`, `"p:asc":{"order":0,"value":10.0}`},
		{"descending: the larger number", `"p:desc":{"order":0,"value":10.0}`, `"p:desc":{"order":0,"value":2.0}`},
		{"ascending: numbers before strings", `"p:asc":{"order":0,"value":9}`, `"p:asc":{"order":0,"value":"1"}`},
		{"descending: numbers before strings", `"p:desc":{"order":0,"value":9}`, `"p:desc":{"order":0,"value":"z"}`},
		{"ascending: missing is last", `"p:asc":{"order":0,"value":"z"}`, `"p:asc":{"order":0,"value":null}`},
		{"descending: missing is last", `"p:desc":{"order":0,"value":"a"}`, `"p:desc":{"order":0,"value":null}`},
		{"strings by their bytes, escapes resolved", `"p:asc":{"order":0,"value":"a\u0062"}`, `"p:asc":{"order":0,"value":"ac"}`},
		{"a field with a colon", `"a:b:desc":{"order":0,"value":2}`, `"a:b:desc":{"order":0,"value":1}`},
		{"larger similarity wins", `"vectorSort":{"order":0,"similarity":0.2}`, `"vectorSort":{"order":0,"similarity":null}`},
		{"a skipped rule is last", `"words":{"order":0,"matchingWords":1}`, `"skipped":{"order":0}`},
		{"nearer wins", `"_geoPoint(1, 2):asc":{"order":0,"value":{"lat":1,"lng":1},"distance":10}`,
			`"_geoPoint(1, 2):asc":{"order":0,"value":{"lat":1,"lng":1},"distance":12}`},
		{"farther wins when descending", `"_geoPoint(1, 2):desc":{"order":0,"value":{"lat":1,"lng":1},"distance":12}`,
			`"_geoPoint(1, 2):desc":{"order":0,"value":{"lat":1,"lng":1},"distance":10}`},
		{"no place is last", `"_geoPoint(1, 2):desc":{"order":0,"value":{"lat":1,"lng":1},"distance":12}`,
			`"_geoPoint(1, 2):desc":{"order":0,"value":null,"distance":null}`},
		{"the order members decide, not their place",
			`"typo":{"order":1,"typoCount":5},"words":{"order":0,"matchingWords":2}`,
			`"typo":{"order":1,"typoCount":0},"words":{"order":0,"matchingWords":1}`},
		{"a metre apart is a tie, the next rule decides",
			`"_geoPoint(1, 2):asc":{"order":0,"value":null,"distance":10.9},"p:asc":{"order":1,"value":1}`,
			`"_geoPoint(1, 2):asc":{"order":0,"value":null,"distance":10.1},"p:asc":{"order":1,"value":2}`},
	}
	spec := &SearchSpec{Limit: 20}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The better one has the later insertion number, so a tie would show.
			better, worse := answerOf(1, doc(2, tt.first)), answerOf(1, doc(1, tt.second))
			for _, legs := range [][]string{{better, worse}, {worse, better}} {
				if _, a := search(t, spec, legs...); !slices.Equal(ids(a), []int{2, 1}) {
					t.Errorf("order %v, want [2 1]", ids(a))
				}
			}
		})
	}
	t.Run("equal similarity null and 0 tie", func(t *testing.T) {
		_, a := search(t, spec, answerOf(1, doc(2, `"vectorSort":{"order":0,"similarity":null}`)), answerOf(1, doc(1, `"vectorSort":{"order":0,"similarity":0}`)))
		if !slices.Equal(ids(a), []int{1, 2}) {
			t.Errorf("order %v", ids(a))
		}
	})
	t.Run("hits without insertion number follow, in order of legs", func(t *testing.T) {
		_, a := search(t, spec, answerOf(2, `{"id":7}`, `{"id":8}`), answerOf(2, doc(5, ""), `{"id":9}`))
		if !slices.Equal(ids(a), []int{5, 7, 8, 9}) {
			t.Errorf("order %v", ids(a))
		}
	})
}

func TestDistanceIsMeasuredFromTheHitsOwnPlace(t *testing.T) {
	// Both nodes report the first point of a bucket; the places say who is nearer.
	at := func(id int, lat string) string {
		return fmt.Sprintf(`{"id":%d,"_geo":{"lat":%s,"lng":"2.0"},"_miroir_seq":"%d","_rankingScoreDetails":`+
			`{"_geoPoint(1, 2):asc":{"order":0,"value":{"lat":1,"lng":2},"distance":50.0}}}`, id, lat, id)
	}
	_, a := search(t, &SearchSpec{Limit: 9, Strip: []string{"_geo"}}, answerOf(2, at(1, "1.001"), at(3, "1.003")), answerOf(1, at(2, "1.002")))
	if !slices.Equal(ids(a), []int{1, 2, 3}) {
		t.Errorf("order %v", ids(a))
	}
	for _, h := range a.Hits {
		if _, ok := h["_geo"]; ok {
			t.Error("stripped _geo is visible")
		}
	}
}

func TestTotalsAddAndPagesAreCut(t *testing.T) {
	three := answerOf(3, doc(1, ""), doc(3, ""), doc(5, ""))
	two := answerOf(2, doc(2, ""), doc(4, ""))
	tests := []struct {
		name string
		spec SearchSpec
		want []int
		tail string
	}{
		{"offset and limit are echoed", SearchSpec{Offset: 1, Limit: 2}, []int{2, 3}, `"limit":2,"offset":1,"estimatedTotalHits":5`},
		{"limit 0 keeps totals", SearchSpec{}, nil, `"limit":0,"offset":0,"estimatedTotalHits":5`},
		{"an offset beyond the end", SearchSpec{Offset: 1 << 40, Limit: maxInt}, nil, `"estimatedTotalHits":5`},
		{"an offset of M or more has no hits", SearchSpec{Offset: 3, Limit: 5, MaxTotalHits: 3}, nil, `"offset":3,"estimatedTotalHits":5`},
		{"no hit beyond M, totals beyond M", SearchSpec{Offset: 1, Limit: 5, MaxTotalHits: 3}, []int{2, 3}, `"estimatedTotalHits":5`},
		{"older nodes cap total and offset", SearchSpec{Offset: 9, Limit: 5, MaxTotalHits: 3, CapTotals: true}, nil, `"limit":5,"offset":3,"estimatedTotalHits":3`},
		{"page 2", SearchSpec{PageMode: true, Page: 2, HitsPerPage: 2}, []int{3, 4}, `"hitsPerPage":2,"page":2,"totalPages":3,"totalHits":5`},
		{"page 0 is empty", SearchSpec{PageMode: true, Page: 0, HitsPerPage: 2}, nil, `"hitsPerPage":2,"page":0,"totalPages":3,"totalHits":5`},
		{"hitsPerPage 0 has no pages", SearchSpec{PageMode: true, Page: 1}, nil, `"hitsPerPage":0,"page":1,"totalPages":0,"totalHits":5`},
		{"a page number near the limit of integers", SearchSpec{PageMode: true, Page: maxInt, HitsPerPage: maxInt}, nil, `"totalPages":1,"totalHits":5`},
		{"pages stop at M", SearchSpec{PageMode: true, Page: 2, HitsPerPage: 2, MaxTotalHits: 3}, []int{3}, `"totalPages":3,"totalHits":5`},
		{"capped totals count pages", SearchSpec{PageMode: true, Page: 1, HitsPerPage: 2, MaxTotalHits: 3, CapTotals: true}, []int{1, 2}, `"totalPages":2,"totalHits":3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, a := search(t, &tt.spec, three, two)
			if !slices.Equal(ids(a), tt.want) {
				t.Errorf("hits %v, want %v", ids(a), tt.want)
			}
			if !strings.Contains(out, tt.tail) {
				t.Errorf("no %s in %s", tt.tail, out)
			}
		})
	}
}

func TestAnswerHasTheMembersOfARealOneInOrder(t *testing.T) {
	l := `{"hits":[{"id":1,"_miroir_seq":"1"}],"query":"a\"b","queryVector":[0.1,2e-3],"processingTimeMs":4,"limit":1,"offset":0,` +
		`"estimatedTotalHits":1,"facetDistribution":{},"facetStats":{},"requestUid":"theirs","metadata":{"indexUid":"i7"},"performanceDetails":{"search":"4ms"},"semanticHitCount":1}`
	spec := &SearchSpec{Limit: 5, RequestUID: "ours", Metadata: []byte(`{"indexUid":"movies"}`), IndexUID: "movies", SemanticHits: true, HasFacets: true}
	out, _ := search(t, spec, l)
	want := `{"indexUid":"movies","hits":[{"id":1}],"query":"a\"b","queryVector":[0.1,2e-3],"processingTimeMs":4,"limit":5,"offset":0,` +
		`"estimatedTotalHits":1,"facetDistribution":{},"facetStats":{},"requestUid":"ours","metadata":{"indexUid":"movies"},` +
		`"performanceDetails":{"search":"4ms"},"semanticHitCount":0}`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out, _ = search(t, &SearchSpec{Limit: 5}, answerOf(1, doc(1, "")), strings.Replace(answerOf(0), `"processingTimeMs":3`, `"processingTimeMs":8`, 1))
	if want := `{"hits":[{"id":1}],"query":"q","processingTimeMs":8,"limit":5,"offset":0,"estimatedTotalHits":1}`; out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out, _ = search(t, &SearchSpec{Limit: 5})
	if want := `{"hits":[],"query":"","processingTimeMs":0,"limit":5,"offset":0,"estimatedTotalHits":0}`; out != want {
		t.Errorf("no legs: got\n%s\nwant\n%s", out, want)
	}
}

func TestOtherFormsOfAnswersAreRead(t *testing.T) {
	tricky := `{"a":[1],"query":{"x":[2],"query":3},"t":"],\"query\":\"\"}"}`
	for _, l := range []string{
		`{"hits":[` + tricky + `,` + tricky + `],"estimatedTotalHits":7}`,
		`{"estimatedTotalHits":7,"query":"","hits":[` + tricky + `,` + tricky + `]}`,
		"{ \"hits\" : [ " + tricky + " , " + tricky + " ] , \"query\" : \"\" , \"estimatedTotalHits\" : 7 } \n",
		`{"h\u0069ts":[` + tricky + `],"query":"","estimatedTotalHits":7}`,
	} {
		for limit, want := range []string{"", tricky} {
			out, a := search(t, &SearchSpec{Limit: limit}, l)
			if !strings.HasPrefix(out, `{"hits":[`+want+`],"query":""`) || a.EstimatedTotalHits != 7 {
				t.Errorf("%s\n gave %s", l, out)
			}
		}
	}
}

func TestSemanticHitsAreCountedOnThePage(t *testing.T) {
	v := func(id int, s string) string { return doc(id, `"vectorSort":{"order":0,"similarity":`+s+`}`) }
	_, a := search(t, &SearchSpec{Limit: 2, SemanticHits: true}, answerOf(2, v(1, "0.9"), v(2, "0.1")), answerOf(1, v(3, "0.5")))
	if *a.SemanticHitCount != 2 || !slices.Equal(ids(a), []int{1, 3}) {
		t.Errorf("count %d of %v", *a.SemanticHitCount, ids(a))
	}
}

func TestPinsKeepTheirPosition(t *testing.T) {
	pin := func(id, at int) string { return doc(id, fmt.Sprintf(`"pin":{"order":0,"position":%d}`, at)) }
	a := answerOf(3, doc(1, ""), doc(3, ""), pin(10, 2))
	b := answerOf(3, pin(11, 0), doc(2, ""), pin(12, 90))
	for _, spec := range []*SearchSpec{{Limit: 9, Pins: true}, {Limit: 9}} {
		if _, got := search(t, spec, a, b); !slices.Equal(ids(got), []int{11, 1, 10, 2, 3, 12}) {
			t.Errorf("order %v", ids(got))
		}
	}
	if _, got := search(t, &SearchSpec{Offset: 2, Limit: 1, Pins: true}, a, b); !slices.Equal(ids(got), []int{10}) {
		t.Errorf("page %v", ids(got))
	}
}

func TestDistinctShowsEveryValueOnce(t *testing.T) {
	d := func(id int, rest string) string { return fmt.Sprintf(`{"id":%d,"_miroir_seq":"%d"%s}`, id, id, rest) }
	a := answerOf(3, d(1, `,"c":{"name":"Red "}`), d(4, `,"c":[{"name":"BLUE"},{"name":"x"}]`), d(6, ""))
	b := answerOf(4, d(2, `,"c.name":"red"`), d(3, `,"c":{"name":1}`), d(5, `,"c":{"name":["1","X"]}`), d(7, `,"c":{"name":null}`))
	_, got := search(t, &SearchSpec{Limit: 9, Distinct: "c.name"}, a, b)
	if !slices.Equal(ids(got), []int{1, 3, 4, 6, 7}) || got.EstimatedTotalHits != 5 {
		t.Errorf("hits %v of %d", ids(got), got.EstimatedTotalHits)
	}
}

func TestMembersOfOursVanishEverywhere(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"first", `{"_miroir_seq":"1","a":1}`, `{"a":1}`},
		{"last", `{"a":1,"_miroir_seq":"1"}`, `{"a":1}`},
		{"only", `{"_miroir_seq":"1"}`, `{}`},
		{"first and last", `{"_miroir_seq":"1","a":1,"_miroir_shard":"1"}`, `{"a":1}`},
		{"several in a row", `{"a":1,"_miroir_seq":"1","_miroir_shard":"1","_miroir_x":{"a":[1]},"b":2}`, `{"a":1,"b":2}`},
		{"with white space", "{ \"_miroir_seq\" : \"1\" , \"a\" : 1 }", "{ \"a\" : 1 }"},
		{"escaped names", `{"\u005fmiroir_seq":"1","_\u006diroir_shard":"x","a":1}`, `{"a":1}`},
		{"names that only look like ours stay", `{"_miroir":1,"x_miroir_":2,"_Miroir_":3}`, `{"_miroir":1,"x_miroir_":2,"_Miroir_":3}`},
		{"text that looks like ours stays", `{"a":"\"_miroir_seq\":1,"}`, `{"a":"\"_miroir_seq\":1,"}`},
		{"a document's own nested member stays", `{"a":{"_miroir_seq":1}}`, `{"a":{"_miroir_seq":1}}`},
		{"formatted", `{"a":1,"_formatted":{"_miroir_seq":"1","a":"<em>","_miroir_shard":";"},"_miroir_seq":"1"}`, `{"a":1,"_formatted":{"a":"<em>"}}`},
		{"formatted, nothing else in it", `{"_miroir_seq":"1","_formatted":{"_miroir_seq":"1"}}`, `{"_formatted":{}}`},
		{"positions", `{"_matchesPosition":{"_miroir_seq":[{"start":0,"length":1}],"a":[]},"a":1}`, `{"_matchesPosition":{"a":[]},"a":1}`},
		{"scores nobody asked for", `{"a":1,"_rankingScore":0.5,"_rankingScoreDetails":{"words":{"order":0}}}`, `{"a":1}`},
		{"stripped names with their children", `{"add":1,"a":2,"_formatted":{"add":"1","a":"2"},"_matchesPosition":{"add.b":[],"add":[],"added":[]}}`,
			`{"a":2,"_formatted":{"a":"2"},"_matchesPosition":{"added":[]}}`},
		{"numbers keep their text", `{"n":1.0,"m":12345678901234567890,"e":1E5,"_miroir_seq":"1"}`, `{"n":1.0,"m":12345678901234567890,"e":1E5}`},
		{"an empty document", `{}`, `{}`},
		{"a document's own odd members", `{"_formatted":"x","_matchesPosition":3,"_geo":[],"_miroir_seq":5}`, `{"_formatted":"x","_matchesPosition":3,"_geo":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := &SearchSpec{Limit: 5, Strip: []string{"add"}}
			out, _ := search(t, spec, answerOf(1, tt.in), answerOf(0))
			if want := `{"hits":[` + tt.want + `],"query":"q"`; !strings.HasPrefix(out, want) {
				t.Errorf("merged\n got %s\nwant %s…", out, want)
			}
			alone, err := StripSearch(nil, spec, []byte(answerOf(1, tt.in)))
			if want := answerOf(1, tt.want); err != nil || string(alone) != want {
				t.Errorf("alone\n got %s, %v\nwant %s", alone, err, want)
			}
		})
	}
}

func TestAskedScoresStayAndHiddenSortsAreHidden(t *testing.T) {
	in := `{"a":1,"_rankingScore":0.5,"_rankingScoreDetails":{"words":{"order":0,"matchingWords":1},"p:asc":{"order":1,"value":{"x":1}},"q:desc":{"order":2,"value":3},"_miroir_seq:asc":{"order":3,"value":"1"}}}`
	spec := &SearchSpec{Limit: 1, ShowRankingScore: true, ShowRankingScoreDetails: true, HiddenSorts: []string{"p"}}
	out, _ := search(t, spec, answerOf(1, in))
	want := `{"hits":[{"a":1,"_rankingScore":0.5,"_rankingScoreDetails":{"words":{"order":0,"matchingWords":1},"<hidden-rule-1>":{"order":1,"value":"<hidden>"},"q:desc":{"order":2,"value":3}}}],`
	if !strings.HasPrefix(out, want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestAMalformedLegIsNamed(t *testing.T) {
	good := answerOf(1, doc(1, ""))
	for _, bad := range []string{"", "x", "[]", "{}", `{"hits":3}`, `{"hits":[`, `{"hits":[{]`, `{"hits":[{"a":1}`, `{"hits":[{"a":1},`,
		`{"hits":[{"a":1} {}],"query":"q"}`, `{"hits":[1],"query":"q"}`, `{"hits":[{"a"}],"query":"q"}`, `{"hits":[{"a":1},],"query":"q"}`,
		`{"hits":[],"query":"q"`, `{"hits":[]"query":"q"}`, `{"hits":[],"query"}`, `{"hits":[],query}`, `{"hits":[],"query":}`, `{"hits":[]} x`} {
		for _, spec := range []*SearchSpec{{Limit: 5}, {Limit: 5, Pins: true}} {
			out, err := Search([]byte("before"), spec, [][]byte{[]byte(good), []byte(bad)})
			var le *LegError
			if !errors.As(err, &le) || le.Leg != 1 || string(out) != "before" {
				t.Errorf("%q: %q, %v", bad, out, err)
			}
		}
		if _, err := StripSearch(nil, &SearchSpec{}, []byte(bad)); err == nil {
			t.Errorf("alone %q: no error", bad)
		}
	}
}

func FuzzLegsNeverPanic(f *testing.F) {
	f.Add([]byte(answerOf(1, doc(1, `"words":{"order":0,"matchingWords":1}`))), true)
	f.Add([]byte(`{"hits":[{"_formatted":{},"_geo":{"lat":1,"lng":"2"},"_rankingScoreDetails":{"_geoPoint(1, 2):asc":{"order":0,"distance":1}}}],"query":"","facetDistribution":{"a":{"1":2}},"facetStats":{"a":{"min":1,"max":2}}}`), false)
	f.Fuzz(func(t *testing.T, body []byte, pins bool) {
		spec := &SearchSpec{Limit: 5, HasFacets: true, MaxValuesPerFacet: 1, Pins: pins, ShowRankingScoreDetails: pins,
			Strip: []string{"a"}, HiddenSorts: []string{"b"}, Distinct: "c", IndexUID: "u", RequestUID: "r"}
		before := bytes.Clone(body)
		out, err := Search(nil, spec, [][]byte{body, []byte(answerOf(1, doc(1, ""))), body})
		alone, err2 := StripSearch(nil, spec, body)
		_, _ = Documents(nil, &DocumentsSpec{Limit: 3, Sort: []SortField{{Field: "a.b"}}}, [][]byte{body})
		_, _ = GlobalStats(nil, &StatsSpec{Names: map[string]string{"a": "b"}}, [][]byte{body})
		if !bytes.Equal(body, before) {
			t.Fatal("a leg was changed")
		}
		if json.Valid(body) {
			if err == nil && !json.Valid(out) {
				t.Fatalf("merged is not JSON: %s", out)
			}
			if err2 == nil && !json.Valid(alone) {
				t.Fatalf("alone is not JSON: %s", alone)
			}
		}
	})
}

// checkPages compares pages that follow each other with one big page.
func checkPages(t *testing.T, r *rand.Rand, s shape, n, legs, size int, paged bool, distinct string) {
	t.Helper()
	hits := s.generate(r, n)
	bodies := split(r, s.rules, hits, oracleOrder(s.rules, hits), legs, -1, "")
	_, whole := searchBytes(t, &SearchSpec{Limit: n, Distinct: distinct}, bodies)
	var all []int
	for at := 0; at*size < n; at++ {
		spec := &SearchSpec{Offset: at * size, Limit: size, Distinct: distinct}
		if paged {
			spec = &SearchSpec{PageMode: true, Page: at + 1, HitsPerPage: size, Distinct: distinct}
		}
		_, a := searchBytes(t, spec, bodies)
		all = append(all, ids(a)...)
	}
	if !slices.Equal(all, ids(whole)) {
		t.Fatalf("%s, %d hits in %d legs, pages of %d:\n got %v\nwant %v", s.name, n, legs, size, all, ids(whole))
	}
}

func FuzzPagesEqualOneBigPage(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(20), uint8(3), uint8(4), true)
	f.Add(uint64(2), uint8(0), uint8(60), uint8(7), uint8(1), false)
	f.Fuzz(func(t *testing.T, seed uint64, kind, n, legs, size uint8, paged bool) {
		r := rand.New(rand.NewPCG(seed, 11))
		s := shapes[int(kind)%len(shapes)]
		distinct := ""
		if seed%3 == 0 {
			distinct = "t" // the same in all hits
		}
		checkPages(t, r, s, int(n)%80, 1+int(legs)%12, 1+int(size)%20, paged, distinct)
	})
}

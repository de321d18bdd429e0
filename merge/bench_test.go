package merge

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
)

// benchLegs makes keyword answers: hits of about size bytes, ranking details apart, dealt round robin.
func benchLegs(legs, hits, size int) [][]byte {
	out := make([][]byte, legs)
	for l := range out {
		var b strings.Builder
		b.WriteString(`{"hits":[`)
		for i := range hits {
			rank := i*legs + l
			if i > 0 {
				b.WriteByte(',')
			}
			text := strings.Repeat("a quiet story, ", size/15)[:size-150]
			fmt.Fprintf(&b, `{"id":%d,"title":"Film number %d","overview":"%s","genres":["Drama","Crime"],"year":1994,`+
				`"_miroir_shard":";;,","_miroir_seq":"%012d","_rankingScoreDetails":{`+
				`"words":{"order":0,"matchingWords":2,"maxMatchingWords":2,"score":1.0},`+
				`"typo":{"order":1,"typoCount":%d,"maxTypoCount":3,"score":0.75},`+
				`"proximity":{"order":2,"score":0.8571428571428571},"attributeRank":{"order":3,"score":1.0},`+
				`"wordPosition":{"order":4,"score":%v},`+
				`"exactness":{"order":5,"matchType":"noExactMatch","matchingWords":1,"maxMatchingWords":2,"score":0.3333333333333333}}}`,
				rank, rank, text, rank, rank/(legs*hits/3+1), 1-float64(rank)/7919)
		}
		fmt.Fprintf(&b, `],"query":"quiet","processingTimeMs":2,"limit":20,"offset":0,"estimatedTotalHits":%d,"requestUid":"x"}`, 5*hits)
		out[l] = []byte(b.String())
	}
	return out
}

// naive is the yardstick: decode into maps, sort, encode.
func naive(legs [][]byte, limit int) ([]byte, error) {
	var all []map[string]any
	total := 0.0
	for _, l := range legs {
		var a map[string]any
		if err := json.Unmarshal(l, &a); err != nil {
			return nil, err
		}
		for _, h := range a["hits"].([]any) {
			all = append(all, h.(map[string]any))
		}
		total += a["estimatedTotalHits"].(float64)
	}
	position := func(h map[string]any, rule, field string) float64 {
		return h["_rankingScoreDetails"].(map[string]any)[rule].(map[string]any)[field].(float64)
	}
	sort.SliceStable(all, func(i, j int) bool {
		if x, y := position(all[i], "typo", "typoCount"), position(all[j], "typo", "typoCount"); x != y {
			return x < y
		}
		return position(all[i], "wordPosition", "score") > position(all[j], "wordPosition", "score")
	})
	all = all[:min(limit, len(all))]
	for _, h := range all {
		delete(h, "_miroir_seq")
		delete(h, "_miroir_shard")
		delete(h, "_rankingScoreDetails")
	}
	return json.Marshal(map[string]any{"hits": all, "limit": limit, "offset": 0, "estimatedTotalHits": total})
}

func BenchmarkSearch(b *testing.B) {
	for _, bb := range []struct{ legs, hits, size int }{{3, 20, 500}, {12, 20, 500}, {3, 1000, 500}} {
		legs := benchLegs(bb.legs, bb.hits, bb.size)
		bytes := 0
		for _, l := range legs {
			bytes += len(l)
		}
		spec := &SearchSpec{Limit: bb.hits, MaxTotalHits: 1000, RequestUID: "r"}
		name := fmt.Sprintf("%dx%d", bb.legs, bb.hits)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				var err error
				if out, err = Search(out[:0], spec, legs); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/decode-and-sort", func(b *testing.B) {
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := naive(legs, bb.hits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStripSearch(b *testing.B) {
	leg := benchLegs(1, 20, 500)[0]
	b.SetBytes(int64(len(leg)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = StripSearch(out[:0], &SearchSpec{}, leg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFacets(b *testing.B) {
	legs := make([][]byte, 3)
	for l := range legs {
		var facets []string
		for f := range 5 {
			var values []string
			for v := range 100 {
				values = append(values, fmt.Sprintf(`"Value %03d":%d`, v*(l+1), v+1))
			}
			facets = append(facets, fmt.Sprintf(`"facet%d":{%s}`, f, strings.Join(values, ",")))
		}
		legs[l] = []byte(faceted(500, "{"+strings.Join(facets, ",")+"}", "{}"))
	}
	spec := &SearchSpec{HasFacets: true, MaxValuesPerFacet: 100}
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = Search(out[:0], spec, legs); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAPageIsMergedWithoutAllocating(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	legs := benchLegs(3, 20, 500)
	spec := &SearchSpec{Limit: 20, MaxTotalHits: 1000, RequestUID: "r"}
	out := make([]byte, 0, 1<<16)
	for name, fn := range map[string]func() error{
		"merged": func() (err error) { _, err = Search(out, spec, legs); return err },
		"alone":  func() (err error) { _, err = StripSearch(out, spec, legs[0]); return err },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := fn(); err != nil {
				t.Fatal(err)
			}
		}); n > 4 {
			t.Errorf("%s: %v allocations a page", name, n)
		}
	}
}

func BenchmarkHybrid(b *testing.B) {
	words := make([][]byte, 3)
	vectors := make([][]byte, 3)
	for l := range words {
		var w, v []string
		for i := range 20 {
			w = append(w, byWord(100*l+i, fmt.Sprint(0.9-float64(i)/40)))
			v = append(v, byVector(100*l+i+10, fmt.Sprint(0.95-float64(i)/50)))
		}
		words[l], vectors[l] = []byte(answerOf(50, w...)), []byte(answerOf(90, v...))
	}
	spec := &SearchSpec{Limit: 20, MaxTotalHits: 1000, SemanticHits: true}
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = Hybrid(out[:0], spec, 0.5, words, vectors); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFacetSearch(b *testing.B) {
	legs := make([][]byte, 3)
	for l := range legs {
		var values []string
		for v := range 100 {
			values = append(values, fmt.Sprintf("Value %03d=%d", v*(l+1), v+1))
		}
		legs[l] = []byte(facetHits(values...))
	}
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		var err error
		if out, err = FacetSearch(out[:0], &FacetSearchSpec{MaxValues: 100, Asked: true}, legs); err != nil {
			b.Fatal(err)
		}
	}
}

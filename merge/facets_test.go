package merge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// faceted makes a leg without hits.
func faceted(total int, distribution, stats string) string {
	return fmt.Sprintf(`{"hits":[],"query":"","processingTimeMs":1,"limit":20,"offset":0,"estimatedTotalHits":%d,"facetDistribution":%s,"facetStats":%s}`,
		total, distribution, stats)
}

func TestFacets(t *testing.T) {
	count := func(string) Order { return Count }
	const none = "{}"
	tests := []struct {
		name   string
		spec   SearchSpec
		legs   []string
		values string
		stats  string
	}{
		{"counts add and facets are sorted by name", SearchSpec{},
			[]string{faceted(2, `{"g":{"a":1,"b":2},"f":{"x":1}}`, none), faceted(2, `{"g":{"b":3,"c":1},"e":{}}`, none)},
			`{"e":{},"f":{"x":1},"g":{"a":1,"b":5,"c":1}}`, none},
		{"our facets vanish, however they are spelled", SearchSpec{},
			[]string{faceted(2, `{"_miroir_shard":{";":2},"\u005fmiroir_seq":{"1":1},"f":{}}`, `{"_miroir_seq":{"min":1,"max":2}}`)}, `{"f":{}}`, none},
		{"alpha lists by normalized value", SearchSpec{},
			[]string{faceted(2, `{"f":{"apple":1,"Banana":1}}`, none), faceted(2, `{"f":{"ångström":1,"Cherry":2}}`, none)},
			`{"f":{"apple":1,"ångström":1,"Banana":1,"Cherry":2}}`, none},
		{"spellings of one value are one value", SearchSpec{},
			[]string{faceted(2, `{"f":{"Action":1}}`, none), faceted(2, `{"f":{" action ":3}}`, none), faceted(2, `{"f":{"ＡCTION":1}}`, none)},
			`{"f":{" action ":5}}`, none},
		{"of spellings used as often, the first in byte order", SearchSpec{},
			[]string{faceted(2, `{"f":{"é":1}}`, none), faceted(2, `{"f":{"É":1}}`, none)}, `{"f":{"É":2}}`, none},
		{"few candidates: numbers as text, before strings", SearchSpec{},
			[]string{faceted(9, `{"f":{"1.5":1,"10":1,"a":1}}`, `{"f":{"min":1.5,"max":10}}`), faceted(9, `{"f":{"2":1,"0x":1}}`, `{"f":{"min":2,"max":2}}`)},
			`{"f":{"1.5":1,"10":1,"2":1,"0x":1,"a":1}}`, `{"f":{"min":1.5,"max":10}}`},
		{"many candidates in all: numbers as numbers", SearchSpec{},
			[]string{faceted(2999, `{"f":{"1.5":1,"10":1,"a":1}}`, `{"f":{"min":1.5,"max":10}}`), faceted(2, `{"f":{"2":1}}`, `{"f":{"min":2,"max":2}}`)},
			`{"f":{"1.5":1,"2":1,"10":1,"a":1}}`, `{"f":{"min":1.5,"max":10}}`},
		{"capped totals: a node's own order tells", SearchSpec{CapTotals: true, MaxTotalHits: 1000},
			[]string{faceted(1000, `{"f":{"2":1,"10":1}}`, `{"f":{"min":2,"max":10}}`), faceted(9, `{"f":{"3":1}}`, `{"f":{"min":3,"max":3}}`)},
			`{"f":{"2":1,"3":1,"10":1}}`, `{"f":{"min":2,"max":10}}`},
		{"strings that look like numbers are strings", SearchSpec{},
			[]string{faceted(9, `{"f":{"9":1,"a":1}}`, none), faceted(9, `{"f":{"!":1,"10":1}}`, none)}, `{"f":{"!":1,"10":1,"9":1,"a":1}}`, none},
		{"by count, ties in descending order, numbers first", SearchSpec{FacetOrder: count},
			[]string{faceted(9, `{"f":{"2":1,"10":1,"z":9,"a":2}}`, `{"f":{"min":2,"max":10}}`), faceted(9, `{"f":{"b":2,"a":1}}`, none)},
			`{"f":{"10":1,"2":1,"z":9,"a":3,"b":2}}`, `{"f":{"min":2,"max":10}}`},
		{"order is asked per facet", SearchSpec{FacetOrder: func(f string) Order { return map[string]Order{"é": Count}[f] }},
			[]string{faceted(9, `{"\u00e9":{"a":1,"b":2},"g":{"a":1,"b":2}}`, none)}, `{"g":{"a":1,"b":2},"\u00e9":{"b":2,"a":1}}`, none},
		{"cut at K after adding", SearchSpec{MaxValuesPerFacet: 2, FacetOrder: count},
			[]string{faceted(9, `{"f":{"a":3,"b":2,"c":2}}`, none), faceted(9, `{"f":{"c":2,"b":1}}`, none)}, `{"f":{"c":4,"b":3}}`, none},
		{"alpha cut counts numbers, then strings", SearchSpec{MaxValuesPerFacet: 2},
			[]string{faceted(9, `{"f":{"1":1,"a":1}}`, `{"f":{"min":1,"max":1}}`), faceted(9, `{"f":{"b":1}}`, none)}, `{"f":{"1":1,"a":1}}`, `{"f":{"min":1,"max":1}}`},
		{"by count, numbers that fill K leave strings unbounded", SearchSpec{MaxValuesPerFacet: 1, FacetOrder: count},
			[]string{faceted(9, `{"f":{"1":3,"2":1,"a":1}}`, `{"f":{"min":1,"max":2}}`), faceted(9, `{"f":{"b":2}}`, none)},
			`{"f":{"1":3,"b":2,"a":1}}`, `{"f":{"min":1,"max":2}}`},
		{"min of mins and max of maxes keep their text", SearchSpec{},
			[]string{faceted(9, none, `{"f":{"min":-1.50,"max":10}}`), faceted(9, none, `{"f":{"min":2,"max":1e3},"a":{"min":0.0,"max":0.0}}`)},
			none, `{"a":{"min":0.0,"max":0.0},"f":{"min":-1.50,"max":1e3}}`},
		{"escapes in values", SearchSpec{},
			[]string{faceted(9, `{"f":{"a\"b":1}}`, none), faceted(9, `{"f":{"A\"B":2,"a\"c":1}}`, none)}, `{"f":{"A\"B":3,"a\"c":1}}`, none},
		{"a leg without facets", SearchSpec{}, []string{answerOf(0), faceted(9, `{"f":{"a":1}}`, none)}, `{"f":{"a":1}}`, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.HasFacets = true
			want := `"facetDistribution":` + tt.values + `,"facetStats":` + tt.stats + `}`
			for range 2 {
				if out, _ := search(t, &tt.spec, tt.legs...); !strings.HasSuffix(out, want) {
					t.Errorf("\n got %s\nwant %s", out, want)
				}
				for i, j := 0, len(tt.legs)-1; i < j; i, j = i+1, j-1 {
					tt.legs[i], tt.legs[j] = tt.legs[j], tt.legs[i]
				}
			}
		})
	}
	t.Run("no facets asked, none shown", func(t *testing.T) {
		if out, _ := search(t, &SearchSpec{}, faceted(1, `{"f":{}}`, none)); strings.Contains(out, "facet") {
			t.Error(out)
		}
	})
}

func TestALegAskedAloneKeepsItsBytes(t *testing.T) {
	in := `{"hits":[],"query":"x","processingTimeMs":1,"limit":1,"offset":0,"estimatedTotalHits":4000,` +
		`"facetDistribution":{"_miroir_shard":{";":1},"f":{"b":2,"a":2,"c":1},"n":{"2":1,"10":1,"30":1,"x":1}},` +
		`"facetStats":{"_miroir_seq":{"min":1,"max":2},"n":{"min":2,"max":30}},"requestUid":"theirs","metadata":{"indexUid":"i1"},"semanticHitCount":3}`
	tests := []struct {
		name string
		spec SearchSpec
		want string
	}{
		{"facets of ours go, values beyond K go", SearchSpec{MaxValuesPerFacet: 2},
			`{"hits":[],"query":"x","processingTimeMs":1,"limit":1,"offset":0,"estimatedTotalHits":4000,"facetDistribution":{"f":{"b":2,"a":2},"n":{"2":1,"10":1,"x":1}},` +
				`"facetStats":{"n":{"min":2,"max":30}},"requestUid":"theirs","semanticHitCount":3}`},
		{"what the proxy knows better is replaced", SearchSpec{RequestUID: "ours", Metadata: []byte(`{}`), IndexUID: "m", Query: []byte(`"y"`)},
			`{"indexUid":"m","hits":[],"query":"y","processingTimeMs":1,"limit":1,"offset":0,"estimatedTotalHits":4000,"facetDistribution":{"f":{"b":2,"a":2,"c":1},"n":{"2":1,"10":1,"30":1,"x":1}},` +
				`"facetStats":{"n":{"min":2,"max":30}},"requestUid":"ours","metadata":{},"semanticHitCount":3}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := StripSearch(nil, &tt.spec, []byte(in))
			if err != nil || string(out) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, out, tt.want)
			}
		})
	}
	t.Run("an old node's answer gets a request uid", func(t *testing.T) {
		out, err := StripSearch(nil, &SearchSpec{RequestUID: "r"}, []byte(answerOf(0)))
		if err != nil || !strings.HasSuffix(string(out), `"estimatedTotalHits":0,"requestUid":"r"}`) {
			t.Errorf("%s %v", out, err)
		}
	})
}

func TestNormalizedForm(t *testing.T) {
	long := strings.Repeat("a", 467)
	for in, want := range map[string]string{
		" Action\u00a0": "action", "ÉCLAIR": "e\u0301clair", "ﬁn": "fin", "ΣΑΣ": "σας", "ΑΣ Σ": "ας σ", "İ": "i\u0307", "": "", "  ": "",
		"Straße": "straße", "Ⅳ": "iv", long + "éx": long + "e", long + "BC": long + "b", strings.Repeat("ж", 300): strings.Repeat("ж", 234),
	} {
		if got := string(appendNormalized(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFacetSearch(t *testing.T) {
	a := `{"facetHits":[{"value":"Action","count":2},{"value":"b\"","count":1}],"facetQuery":"a","processingTimeMs":2}`
	b := `{"facetHits":[{"value":"action","count":1},{"value":"Adventure","count":3},{"value":"azure","count":1}],"facetQuery":"a","processingTimeMs":5}`
	tests := []struct {
		name string
		spec FacetSearchSpec
		legs []string
		want string
	}{
		{"alpha", FacetSearchSpec{}, []string{a, b}, `{"facetHits":[{"value":"Action","count":3},{"value":"Adventure","count":3},{"value":"azure","count":1},{"value":"b\"","count":1}],"facetQuery":"a","processingTimeMs":5}`},
		{"count, cut", FacetSearchSpec{Order: Count, MaxValues: 3, Query: []byte(`"x"`), ProcessingTimeMs: 9}, []string{b, a},
			`{"facetHits":[{"value":"Adventure","count":3},{"value":"Action","count":3},{"value":"b\"","count":1}],"facetQuery":"x","processingTimeMs":9}`},
		{"no legs", FacetSearchSpec{}, nil, `{"facetHits":[],"facetQuery":null,"processingTimeMs":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var legs [][]byte
			for _, l := range tt.legs {
				legs = append(legs, []byte(l))
			}
			out, err := FacetSearch(nil, &tt.spec, legs)
			if err != nil || string(out) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, out, tt.want)
			}
		})
	}
	for _, bad := range []string{`{}`, `{"facetHits":[1]}`, `{"facetHits":[{"value":1}]}`, `{"facetHits":[{"value":"a"`} {
		if _, err := FacetSearch(nil, &FacetSearchSpec{}, [][]byte{[]byte(bad)}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func facetHits(values ...string) string {
	var hits []string
	for _, v := range values {
		name, count, _ := strings.Cut(v, "=")
		hits = append(hits, fmt.Sprintf(`{"value":%q,"count":%s}`, name, count))
	}
	return `{"facetHits":[` + strings.Join(hits, ",") + `],"facetQuery":"x","processingTimeMs":1}`
}

func TestFacetSearchOrders(t *testing.T) {
	for _, c := range []struct {
		name string
		spec FacetSearchSpec
		legs []string
		want string
	}{
		{"values in the order of their normalized form", FacetSearchSpec{}, []string{facetHits("eb=1", "éa=2"), facetHits("Ec=1")}, "eb=1 Ec=1 éa=2"},
		{"with a text, accents do not count", FacetSearchSpec{Asked: true}, []string{facetHits("éa=2", "eb=1"), facetHits("Ec=1")}, "éa=2 eb=1 Ec=1"},
		{"letters that come in two spellings", FacetSearchSpec{Asked: true}, []string{facetHits("œuf=1", "og=1"), facetHits("od=1")}, "od=1 œuf=1 og=1"},
		{"cyrillic marks stay", FacetSearchSpec{Asked: true}, []string{facetHits("иа=1"), facetHits("йя=1")}, "йя=1 иа=1"},
		{"cut", FacetSearchSpec{MaxValues: 2}, []string{facetHits("a=1", "c=1"), facetHits("b=1")}, "a=1 b=1"},
		{"by count", FacetSearchSpec{Order: Count}, []string{facetHits("a=1", "c=5"), facetHits("b=1", "a=3")}, "c=5 a=4 b=1"},
		{"equal counts by descending spelling", FacetSearchSpec{Order: Count, MaxValues: 3}, []string{facetHits("a=1", "b=1", "c=1"), facetHits("d=1", "e=2")}, "e=2 d=1 c=1"},
		{"a newcomer takes the place of an equal one", FacetSearchSpec{Order: Count, MaxValues: 2}, []string{facetHits("a=1", "b=1", "Z=1")}, "b=1 Z=1"},
		{"spellings are joined", FacetSearchSpec{}, []string{facetHits("Action=2"), facetHits("action=3")}, "action=5"},
	} {
		var legs [][]byte
		for _, l := range c.legs {
			legs = append(legs, []byte(l))
		}
		out, err := FacetSearch(nil, &c.spec, legs)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			FacetHits []struct {
				Value string
				Count int
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		var list []string
		for _, h := range got.FacetHits {
			list = append(list, fmt.Sprintf("%s=%d", h.Value, h.Count))
		}
		if s := strings.Join(list, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

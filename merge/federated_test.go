package merge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// fedHitJSON is a hit as a node sends it.
func fedHitJSON(id int, seq string, query int, score float64, details string) string {
	return fmt.Sprintf(`{"id":%d,"_miroir_shard":"!","_miroir_seq":"%s","_federation":{"indexUid":"miroir-i-x","queriesPosition":%d,"weightedRankingScore":%v},"_rankingScoreDetails":{%s}}`,
		id, seq, query, score, details)
}

func fedLeg(total int, tail string, hits ...string) []byte {
	return fmt.Appendf(nil, `{"hits":[%s],"processingTimeMs":%d,"limit":20,"offset":0,"estimatedTotalHits":%d%s,"requestUid":"x"}`, strings.Join(hits, ","), total, total, tail)
}

func words(n int) string {
	return fmt.Sprintf(`"words":{"order":0,"matchingWords":%d,"maxMatchingWords":4,"score":%v}`, n, float64(n)/4)
}

func TestFederated(t *testing.T) {
	facets := func(text string) string {
		return `,"facetsByIndex":{"miroir-i-x":{"distribution":{"kind":` + text + `},"stats":{}}}`
	}
	spec := &FederatedSpec{Limit: 20, RequestUID: "ours", MergedValues: -1, Parts: []FederatedPart{
		{IndexUID: "a", HasFacets: true, Queries: []FederatedQuery{{Position: 2, Weight: 1}, {Position: 0, Weight: 2}}, Legs: [][]byte{
			fedLeg(3, facets(`{"x":2,"y":1}`), fedHitJSON(1, "01", 1, 1.5, words(3)), fedHitJSON(2, "02", 0, 0.5, words(2)), fedHitJSON(4, "04", 0, 0.5, words(2))),
			fedLeg(2, facets(`{"x":1}`), fedHitJSON(3, "03", 0, 0.5, words(2)), fedHitJSON(5, "05", 1, 0.5, words(1))),
		}},
		{IndexUID: "b", HasFacets: true, Queries: []FederatedQuery{{Position: 1, Weight: 1}}, MaxTotalHits: 2, Legs: [][]byte{
			fedLeg(9, facets(`{"y":5}`), fedHitJSON(9, "01", 0, 0.5, words(2)), fedHitJSON(8, "02", 0, 0.25, words(1)), fedHitJSON(7, "03", 0, 0.25, words(1))),
		}},
	}}
	hit := func(id int, uid string, position int, score string) string {
		return fmt.Sprintf(`{"id":%d,"_federation":{"indexUid":"%s","queriesPosition":%d,"weightedRankingScore":%s}}`, id, uid, position, score)
	}
	// Equal scores go by the position of the query, and by insertion in one query.
	shown := []string{hit(1, "a", 0, "1.5"), hit(5, "a", 0, "0.5"), hit(9, "b", 1, "0.5"), hit(2, "a", 2, "0.5"), hit(3, "a", 2, "0.5"), hit(4, "a", 2, "0.5"), hit(8, "b", 1, "0.25")}
	tail := `,"requestUid":"ours"}`
	byIndex := `,"facetsByIndex":{"a":{"distribution":{"kind":{"x":3,"y":1}},"stats":{}},"b":{"distribution":{"kind":{"y":5}},"stats":{}}}`
	check := func(what string, want string) {
		t.Helper()
		got, err := Federated([]byte("!"), spec)
		if err != nil || string(got) != "!"+want {
			t.Errorf("%s: %v\n%s\nwant\n!%s", what, err, got, want)
		}
	}
	check("all", `{"hits":[`+strings.Join(shown, ",")+`],"processingTimeMs":9,"limit":20,"offset":0,"estimatedTotalHits":14`+byIndex+tail)
	spec.Offset, spec.Limit = 2, 2
	check("a page", `{"hits":[`+strings.Join(shown[2:4], ",")+`],"processingTimeMs":9,"limit":2,"offset":2,"estimatedTotalHits":14`+byIndex+tail)
	spec.MergeFacets, spec.MergedValues = true, 1
	spec.PageMode, spec.Page, spec.HitsPerPage = true, 2, 3
	check("merged facets", `{"hits":[`+strings.Join(shown[3:6], ",")+`],"processingTimeMs":9,"hitsPerPage":3,"page":2,"totalPages":5,"totalHits":14`+
		`,"facetDistribution":{"kind":{"x":3}},"facetStats":{}`+tail)
	// A document that two queries find stands once, where it is best.
	spec = &FederatedSpec{Limit: 20, Parts: []FederatedPart{{IndexUID: "a", Queries: []FederatedQuery{{Position: 0, Weight: 1}, {Position: 1, Weight: 1}}, Legs: [][]byte{
		fedLeg(1, "", fedHitJSON(1, "01", 1, 0.75, words(3)), fedHitJSON(1, "01", 0, 0.5, words(2))),
	}}}}
	check("twice", `{"hits":[`+hit(1, "a", 1, "0.75")+`],"processingTimeMs":1,"limit":20,"offset":0,"estimatedTotalHits":1}`)
	for _, body := range []string{`{`, `[]`, `{"hits":[1]}`, `{"hits":[{"id":1}]}`, `{"hits":[{"_federation":{"queriesPosition":2}}]}`} {
		spec.Parts[0].Legs = [][]byte{[]byte(body)}
		if got, err := Federated([]byte("x"), spec); err == nil || string(got) != "x" {
			t.Errorf("%s became %s, %v", body, got, err)
		}
	}
}

// sorted hits of different queries compare by what they are sorted by, and by
// nothing else where the directions differ.
func TestFederatedSorts(t *testing.T) {
	sort := func(rule, value string) string { return fmt.Sprintf(`"%s":{"order":0,"value":%s}`, rule, value) }
	for _, c := range []struct{ a, b, want string }{
		{sort("n:asc", "1.0"), sort("n:asc", "2.0"), "12"},
		{sort("n:desc", "1.0"), sort("n:desc", "2.0"), "21"},
		{sort("n:asc", "null"), sort("n:asc", `"x"`), "21"},
		{sort("n:asc", "1.0"), sort("n:desc", "2.0"), "12"}, // the weighted score decides
		{sort("n:asc", "1.0"), "", "12"},
		{`"_geoPoint(1, 2):asc":{"order":0,"value":null,"distance":10}`, `"_geoPoint(1, 2):asc":{"order":0,"value":null,"distance":20}`, "21"},
		{`"vectorSort":{"order":0,"similarity":0.5}`, `"vectorSort":{"order":0,"similarity":0.75}`, "21"},
		{`"vectorSort":{"order":0,"similarity":0.5}`, words(4), "21"},
	} {
		spec := &FederatedSpec{Limit: 5, Parts: []FederatedPart{
			{IndexUID: "a", Queries: []FederatedQuery{{Position: 0, Weight: 1}}, Legs: [][]byte{fedLeg(1, "", fedHitJSON(1, "01", 0, 1, c.a))}},
			{IndexUID: "b", Queries: []FederatedQuery{{Position: 1, Weight: 1}}, Legs: [][]byte{fedLeg(1, "", fedHitJSON(2, "01", 0, 1, c.b))}},
		}}
		got, err := Federated(nil, spec)
		if err != nil || (strings.Index(string(got), `"id":1`) < strings.Index(string(got), `"id":2`)) != (c.want == "12") {
			t.Errorf("%s against %s: %v %s", c.a, c.b, err, got)
		}
	}
}

// The score of a run of rules is that of their ranks, one inside the other.
func TestRunScores(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		n := 2 + r.IntN(4)
		matching := 1 + r.IntN(n)
		typos, most := 0, 1+r.IntN(4)
		typos = r.IntN(most + 1)
		near := 7*(matching-1) + 1
		at := 1 + r.IntN(near)
		attribute, attributes := 1+r.IntN(6), 6
		details := fmt.Sprintf(`{"words":{"order":0,"matchingWords":%d,"maxMatchingWords":%d,"score":%v},"typo":{"order":1,"typoCount":%d,"maxTypoCount":%d,"score":%v},`+
			`"proximity":{"order":2,"score":%v},"attributeRank":{"order":3,"score":%v},"year:desc":{"order":4,"value":3.0},"exactness":{"order":5,"matchType":"exactMatch","score":1.0}}`,
			matching, n, float64(matching)/float64(n), typos, most, float64(most+1-typos)/float64(most+1), float64(at)/float64(near), float64(attribute)/float64(attributes))
		rank, max := 1, 1
		for _, step := range [][2]int{{matching, n}, {most + 1 - typos, most + 1}, {at, near}, {attribute, attributes}} {
			rank, max = (rank-1)*step[1]+step[0], max*step[1]
		}
		got := runScores([]byte(details))
		if len(got) != 2 || math.Abs(got[0]-float64(rank)/float64(max)) > 1e-15 || got[1] != 1 {
			t.Fatalf("%s: %v, want %v", details, got, float64(rank)/float64(max))
		}
	}
}

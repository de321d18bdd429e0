package tests

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// question is one read: method, path below the index wares, and body.
type question struct{ method, path, body string }

func (q question) String() string { return q.method + " " + q.path + " " + q.body }

// url is the whole path: below the index wares, but for routes of no index.
func (q question) url() string {
	if strings.HasPrefix(q.path, "/multi-search") || strings.HasPrefix(q.path, "/stats") || strings.HasPrefix(q.path, "/indexes/") {
		return q.path
	}
	return "/indexes/wares" + q.path
}

func posts(path string, bodies ...string) []question {
	var out []question
	for _, b := range bodies {
		out = append(out, question{"POST", path, b})
	}
	return out
}

func gets(paths ...string) []question {
	var out []question
	for _, p := range paths {
		out = append(out, question{"GET", p, ""})
	}
	return out
}

// wares are documents for reads of every kind: values in several spellings,
// numbers and strings in one field, several values, some missing, vectors,
// places, and an attribute to make hits distinct by.
func wares(first, n int) string {
	words := []string{"red", "green", "blue", "apple", "pear", "table", "chair", "lamp", "window", "sunflower"}
	var b strings.Builder
	for i := first; i < first+n; i++ {
		sep := ","
		if i == first {
			sep = "["
		}
		fmt.Fprintf(&b, `%s{"id":%d,"title":"%s %s","text":"a %s with a %s near the %s","kind":"kind %d","maker":"maker%d","size":%d`,
			sep, i, words[i%10], words[i*7%10], words[i*3%10], words[(i/10)%10], words[i*i%10], i%13, i%37, i*17%101)
		fmt.Fprintf(&b, `,"tags":["t%d","t%d","%s"]`, i%7, i%11, []string{"Été", "ebony", "Éclair", "zinc"}[i%4])
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, `,"mixed":%d`, i%9)
		case 1:
			fmt.Fprintf(&b, `,"mixed":"m%d"`, i%9)
		case 2:
			fmt.Fprintf(&b, `,"mixed":[%d,"m%d",true]`, i%4, i%3)
		case 3:
			b.WriteString(`,"mixed":null`)
		}
		if i%6 != 0 {
			fmt.Fprintf(&b, `,"family":"f%d"`, i/6%29)
		}
		if i%8 != 0 {
			fmt.Fprintf(&b, `,"_geo":{"lat":%d.5,"lng":%d.25}`, i%60, i%80)
		}
		switch x, y := float64(i%17)/17, float64(i%23)/23; i % 10 {
		case 3:
			b.WriteString(`,"_vectors":{"v":null}`)
		default:
			fmt.Fprintf(&b, `,"_vectors":{"v":[%.4f,%.4f,%.4f]}`, x, y, 1-x)
		}
		b.WriteByte('}')
	}
	return b.String() + "]"
}

const wareSettings = `{"filterableAttributes":["id","kind","maker","size","tags","mixed","family","_geo"],"sortableAttributes":["size","title","_geo","mixed"],` +
	`"embedders":{"v":{"source":"userProvided","dimensions":3}},"faceting":{"maxValuesPerFacet":10}}`

// twins are a Miroir and one node that hold the same.
type twins struct {
	many, one fleet.API
	loose     []compare.Loosening
}

// startTwins fills an index "wares" in both. Nodes are real when MEILISEARCH_BIN
// says so.
func startTwins(t *testing.T, o fleet.Options, settings string, batches ...string) twins {
	t.Helper()
	o.Real = os.Getenv("MEILISEARCH_BIN")
	w := twins{fleet.Start(t, o).API, fleet.StartNode(t, "single", o.Real).API, append(compare.Sharded[:len(compare.Sharded):len(compare.Sharded)], compare.Rounding...)}
	for _, s := range []fleet.API{w.many, w.one} {
		s.Write(t, "POST", "/indexes", `{"uid":"wares","primaryKey":"id"}`)
		s.Write(t, "PATCH", "/indexes/wares/settings", settings)
		for _, b := range batches {
			s.Write(t, "POST", "/indexes/wares/documents", b)
		}
	}
	return w
}

// setting changes settings of both.
func (w twins) setting(t *testing.T, patch string) {
	t.Helper()
	for _, s := range []fleet.API{w.many, w.one} {
		s.Write(t, "PATCH", "/indexes/wares/settings", patch)
	}
}

// same asks both and compares status and body.
func (w twins) same(t *testing.T, questions ...question) {
	t.Helper()
	different, used := 0, map[string]int{}
	step := 1
	if len(questions) > 60 && !long() {
		step = 5 // a fifth of many; no kind of question comes at such a distance
	}
	for i := 0; i < len(questions); i += step {
		q := questions[i]
		want := w.one.Do(t, q.method, q.url(), q.body)
		got := w.many.Do(t, q.method, q.url(), q.body)
		needed := map[string]bool{}
		d := compare.JSON(got.Body, want.Body, func(name string) { needed[name] = true }, compare.Of(q.body, w.loose)...)
		for name := range needed {
			used[name]++
		}
		if got.Status != want.Status {
			d = append(d, fmt.Sprintf("status %d, want %d", got.Status, want.Status))
		}
		if strings.Contains(string(got.Body), "_miroir") && !strings.Contains(q.body, "_miroir") { // errors repeat what was asked
			d = append(d, "a name of ours shows")
		}
		if len(d) > 0 {
			different++
			t.Errorf("%s\n\t%d differences: %s", q, len(d), strings.Join(d[:min(len(d), 6)], "\n\t"))
		}
	}
	delete(used, "processing-time")
	delete(used, "request-uid")
	t.Logf("%d questions, %d answers differ; loosenings needed: %v", (len(questions)+step-1)/step, different, used)
}

// places are documents for facets and places: more values than are listed,
// several spellings in one field, names with dots.
func places(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%c{"id":"p%d","name":"place %d","n":%d,"half":%d.5,"word":"w%d","nest":{"a":%d,"b.c":"x%d"},"list":[%d,"s%d","v%d"]}`, ",["[(n-i)/n], i, i, i%211, i%30, i%150, i%12, i%7, i%5, i%6, i%23)
	}
	return b.String() + "]"
}

func TestFacetsAreThoseOfOneNode(t *testing.T) {
	const settings = `{"filterableAttributes":["n","half","word","nest","list"],"faceting":{"maxValuesPerFacet":20}}`
	overTopologies(t, settings, []string{places(700)}, func(t *testing.T, w twins) {
		w.same(t, facetQuestions()...)
		w.setting(t, `{"faceting":{"maxValuesPerFacet":7,"sortFacetValuesBy":{"*":"count","word":"alpha"}}}`)
		w.same(t, facetQuestions()...)
		w.setting(t, `{"filterableAttributes":[{"attributePatterns":["n*"]},{"attributePatterns":["word"],"features":{"filter":{"equality":false,"comparison":false}}}],"displayedAttributes":["id"]}`)
		w.same(t, facetQuestions()...)
		w.setting(t, `{"filterableAttributes":[]}`)
		w.same(t, facetQuestions()...)
		w.setting(t, `{"filterableAttributes":["*"],"displayedAttributes":["*"]}`)
		w.same(t, facetQuestions()...)
	})
}

func facetQuestions() []question {
	var out []question
	for _, facets := range []string{`[]`, `["*"]`, `["n"]`, `["word","half"]`, `["nest"]`, `["nest.a"]`, `["n*"]`, `["*e"]`, `["list"]`, `["nope"]`, `["n","nope"]`, `["*_shard"]`, `["zz*"]`} {
		for _, more := range []string{``, `,"q":"place 1"`, `,"filter":"n > 100"`, `,"limit":0,"filter":"nest.a = 3 OR half > 20"`, `,"filter":"n > 100000"`, `,"page":1,"hitsPerPage":2`} {
			out = append(out, question{"POST", "/search", fmt.Sprintf(`{"facets":%s%s}`, facets, more)})
		}
	}
	return out
}

func TestAScoreThresholdIsThatOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 400)}, func(t *testing.T, w twins) {
		w.loose = append(compare.Always[:len(compare.Always):len(compare.Always)], compare.Rounding...)
		w.same(t, thresholds()...)
		w.setting(t, `{"pagination":{"maxTotalHits":12}}`)
		w.loose = append(w.loose, compare.Sharded...) // a node stops to look at twelve hits
		w.same(t, thresholds()...)
	})
}

func thresholds() []question {
	var out []question
	for _, least := range []string{`0`, `0.3`, `0.8`, `0.95`, `0.99`, `1`} {
		for _, q := range []string{`"q":"red"`, `"q":"apple table"`, `"q":"chair lamp window"`, `"q":""`, `"q":"redd","matchingStrategy":"all"`, `"vector":[0.9,0.1,0.3],"hybrid":{"embedder":"v","semanticRatio":1}`} {
			for _, more := range []string{``, `,"limit":3`, `,"limit":0`, `,"offset":10,"limit":100`, `,"page":1`, `,"page":3,"hitsPerPage":4`, `,"page":0`, `,"facets":["kind","size"],"limit":2`, `,"facets":["kind"],"page":2`} {
				out = append(out, question{"POST", "/search", fmt.Sprintf(`{%s,"rankingScoreThreshold":%s%s}`, q, least, more)})
			}
		}
	}
	return out
}

// topologies are those that reads are compared over.
var topologies = map[string]fleet.Options{
	"three shards of the data": {Groups: 1, PerGroup: 3},
	"shards with copies":       {Groups: 1, PerGroup: 3, Replicas: 2},
	"full copies":              {Groups: 1, PerGroup: 2, Replicas: 2},
}

func overTopologies(t *testing.T, settings string, batches []string, f func(t *testing.T, w twins)) {
	for name, o := range topologies {
		t.Run(name, func(t *testing.T) { f(t, startTwins(t, o, settings, batches...)) })
	}
}

func TestFacetSearchIsThatOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 200), wares(200, 200)}, func(t *testing.T, w twins) {
		w.same(t, facetSearches()...)
		w.same(t, posts("/facet-search", ``, `[]`, `{`, `1`, `{}`, `{"facetName":1}`, `{"facetName":"title"}`, `{"facetName":"nope","facetQuery":"x"}`,
			`{"facetName":"tags","facetQuery":1}`, `{"facetName":"tags","filter":"title = x"}`, `{"facetName":"tags","filter":"kind ="}`, `{"facetName":"tags","filter":7}`,
			`{"facetName":"tags","matchingStrategy":"x"}`, `{"facetName":"tags","rankingScoreThreshold":2}`, `{"facetName":"tags","attributesToSearchOn":["nope"]}`,
			`{"facetName":"tags","vector":[1,2,3]}`, `{"facetName":"tags","hybrid":{"embedder":"nope"}}`, `{"facetName":"tags","locales":["xx"]}`)...)
		w.setting(t, `{"faceting":{"maxValuesPerFacet":4,"sortFacetValuesBy":{"tags":"count","maker":"count"}}}`)
		w.same(t, facetSearches()...)
		w.setting(t, `{"facetSearch":false}`)
		w.same(t, facetSearches()[:3]...)
		w.setting(t, `{"facetSearch":true,"filterableAttributes":[{"attributePatterns":["kind"],"features":{"facetSearch":false}},"tags"],"displayedAttributes":["id","kind"]}`)
		w.same(t, posts("/facet-search", `{"facetName":"kind"}`, `{"facetName":"nope"}`, `{"facetName":"tags"}`)...)
		w.setting(t, `{"filterableAttributes":[]}`)
		w.same(t, posts("/facet-search", `{"facetName":"kind"}`, `{"facetName":"tags","filter":"kind = 1"}`)...)
	})
}

func facetSearches() []question {
	var out []question
	for _, name := range []string{"tags", "kind", "maker", "mixed", "size", "family"} {
		for _, query := range []string{``, `,"facetQuery":null`, `,"facetQuery":""`, `,"facetQuery":"e"`, `,"facetQuery":"Éte"`, `,"facetQuery":"kind 1"`, `,"facetQuery":"mkaer"`,
			`,"facetQuery":"m"`, `,"facetQuery":"t1"`, `,"facetQuery":" "`, `,"facetQuery":"eclaris"`, `,"facetQuery":"1"`} {
			for _, more := range []string{``, `,"q":"red"`, `,"filter":"size > 40"`, `,"q":"apple table","filter":["size < 90","kind != 'kind 1'"],"matchingStrategy":"all"`} {
				out = append(out, question{"POST", "/facet-search", fmt.Sprintf(`{"facetName":%q%s%s}`, name, query, more)})
			}
		}
	}
	return append(out, posts("/facet-search", `{"facetName":"tags","q":"red","rankingScoreThreshold":0.9,"page":3,"unknown":{"a":[1]}}`,
		`{"facetName":"tags","q":"apple","attributesToSearchOn":["title"],"exhaustiveFacetCount":true}`, `{"facetName":"tags","filter":[]}`, `{"facetName":"tags","filter":null}`,
		`{"facetName":"tags","vector":[0.1,0.2,0.3],"hybrid":{"embedder":"v","semanticRatio":1}}`, `{"facetName":"tags","q":"red","vector":[0.1,0.2,0.3],"hybrid":{"embedder":"v"}}`)...)
}

func TestSimilarDocumentsAreThoseOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 200), wares(200, 200)}, func(t *testing.T, w twins) {
		w.same(t, similars()...)
		w.same(t, posts("/similar", ``, `[]`, `{`, `{}`, `{"id":1}`, `{"embedder":"v"}`, `{"id":1,"embedder":"nope"}`, `{"id":9999,"embedder":"v"}`, `{"id":"a b","embedder":"v"}`,
			`{"id":1.5,"embedder":"v"}`, `{"id":null,"embedder":"v"}`, `{"id":[1],"embedder":"v"}`, `{"id":9999,"embedder":"nope"}`, `{"id":1,"embedder":"v","filter":"title = x"}`,
			`{"id":9999,"embedder":"v","filter":"title = x"}`, `{"id":3,"embedder":"v","filter":"title = x"}`, `{"id":1,"embedder":"v","filter":"kind ="}`, `{"id":1,"embedder":"v","filter":7}`,
			`{"id":1,"embedder":"v","limit":-1}`, `{"id":1,"embedder":"v","rankingScoreThreshold":2}`, `{"id":1,"embedder":"v","nonsense":2}`, `{"id":1,"embedder":"v","attributesToRetrieve":"id"}`)...)
		w.same(t, gets("/similar", "/similar?id=1", "/similar?id=1&embedder=v", "/similar?id=1&embedder=v&limit=3&offset=2&showRankingScore=true&attributesToRetrieve=id,title",
			"/similar?id=1&embedder=v&filter=size%20%3E%2050&rankingScoreThreshold=0.9", "/similar?id=a%20b&embedder=v", "/similar?id=9999&embedder=v", "/similar?id=1&embedder=v&limit=x", "/similar?id=1&embedder=v&lol=x")...)
		w.setting(t, `{"rankingRules":["words","typo","size:desc"],"displayedAttributes":["id","title","kind"],"pagination":{"maxTotalHits":50}}`)
		w.same(t, similars()...)
	})
}

func similars() []question {
	var out []question
	for _, id := range []string{`0`, `1`, `"7"`, `3`, `200`, `399`} {
		for _, more := range []string{``, `,"limit":3`, `,"offset":5,"limit":4`, `,"offset":1000`, `,"limit":0`, `,"showRankingScore":true,"showRankingScoreDetails":true`, `,"filter":"size > 40"`,
			`,"filter":["kind = 'kind 1'"],"attributesToRetrieve":["id"]`, `,"attributesToRetrieve":[]`, `,"attributesToRetrieve":["*"],"retrieveVectors":true,"limit":2`, `,"rankingScoreThreshold":0.99`,
			`,"rankingScoreThreshold":0.999,"offset":3,"limit":40`, `,"filter":"size > 1000"`, `,"filter":["id = 1"]`, `,"filter":"id = 7"`} {
			out = append(out, question{"POST", "/similar", fmt.Sprintf(`{"id":%s,"embedder":"v"%s}`, id, more)})
		}
	}
	return out
}

func TestHybridSearchIsThatOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 200), wares(200, 200)}, func(t *testing.T, w twins) {
		w.same(t, hybrids()...)
		w.same(t, posts("/search", `{"q":"red","vector":[1,2,3]}`, `{"q":"red","hybrid":{"embedder":"nope"}}`, `{"q":"red","hybrid":{}}`, `{"q":"red","hybrid":{"embedder":"v","semanticRatio":2}}`,
			`{"q":"red","vector":[1,2],"hybrid":{"embedder":"v"}}`, `{"q":"red","vector":[1,2],"hybrid":{"embedder":"v","semanticRatio":1}}`, `{"q":"red","vector":[1,2],"hybrid":{"embedder":"v","semanticRatio":0}}`,
			`{"q":"red","hybrid":{"embedder":"v","semanticRatio":1}}`, `{"q":"red","hybrid":{"embedder":"v"},"media":{"a":1}}`, `{"q":"red","vector":"x","hybrid":{"embedder":"v"}}`,
			`{"q":"red","vector":[1,2,"x"],"hybrid":{"embedder":"v"}}`, `{"vector":[0.1,0.2,0.3],"hybrid":{"embedder":"v"},"filter":"title = x"}`, `{"q":"x","vector":[0.1,0.2,0.3],"hybrid":{"embedder":"v"},"filter":"title = x"}`,
			`{"q":"red","vector":[1,2],"hybrid":{"embedder":"v"},"limit":1}`, `{"q":"red","hybrid":{"embedder":7},"limit":1}`, `{"q":"red","hybrid":{"embedder":"v","semanticRatio":"x"}}`)...)
		w.setting(t, `{"rankingRules":["size:asc","words","typo","proximity","attributeRank","sort","wordPosition","exactness"],"pagination":{"maxTotalHits":30}}`)
		w.same(t, hybrids()...)
	})
}

func hybrids() []question {
	var out []question
	for _, q := range []string{``, `"q":"",`, `"q":"red",`, `"q":"apple table lamp",`, `"q":"sunflower window",`, `"q":"zzz",`, `"q":"gren chiar",`} {
		for _, vector := range []string{``, `"vector":[0.3,0.9,0.2],`, `"vector":[0.9,-0.1,0.4],`} {
			for _, ratio := range []string{`0`, `0.05`, `0.3`, `0.5`, `0.8`, `0.99`, `1`} {
				if vector == "" && ratio == "1" && strings.Contains(q, "a") {
					continue // words cannot be embedded here; asked among the errors
				}
				for i, more := range []string{``, `,"limit":3,"showRankingScore":true`, `,"page":2,"hitsPerPage":7`, `,"offset":4,"limit":100,"facets":["kind","size"],"attributesToRetrieve":["id"]`,
					`,"filter":"size < 50","attributesToHighlight":["*"],"showMatchesPosition":true,"limit":5`, `,"limit":0`, `,"retrieveVectors":true,"limit":2,"showRankingScoreDetails":true`,
					`,"limit":1`, `,"offset":5,"limit":0`, `,"rankingScoreThreshold":0.7,"page":1`, `,"page":0`} {
					if (i+len(ratio)+len(q))%3 != 0 && i > 2 {
						continue
					}
					out = append(out, question{"POST", "/search", fmt.Sprintf(`{%s%s"hybrid":{"embedder":"v","semanticRatio":%s}%s}`, q, vector, ratio, more)})
				}
			}
		}
	}
	return out
}

func TestDistinctSearchIsThatOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 200), wares(200, 200)}, func(t *testing.T, w twins) {
		w.same(t, distincts("family", "maker", "size", "kind")...)
		w.same(t, posts("/search", `{"distinct":"title"}`, `{"distinct":"nope"}`, `{"distinct":7}`, `{"distinct":null}`, `{"q":"red","distinct":"family","filter":"title = x"}`)...)
		w.loose = append(w.loose, compare.DistinctSetting...)
		w.setting(t, `{"filterableAttributes":["kind","size"],"distinctAttribute":"family","displayedAttributes":["id","title","kind"],"pagination":{"maxTotalHits":60}}`)
		w.same(t, distincts("")...)
	})
}

func distincts(attributes ...string) []question {
	var out []question
	for _, a := range attributes {
		distinct := `"limit":20`
		if a != "" {
			distinct = fmt.Sprintf(`"distinct":%q`, a)
		}
		for _, q := range []string{``, `"q":"red",`, `"q":"apple table",`, `"q":"zzz",`} {
			for _, more := range []string{``, `,"page":1`, `,"page":2,"hitsPerPage":7`, `,"page":0`, `,"hitsPerPage":0`, `,"hitsPerPage":100`, `,"attributesToRetrieve":["id"],"hitsPerPage":4`,
				`,"sort":["size:desc"]`, `,"sort":["size:asc"],"page":1,"hitsPerPage":11`, `,"filter":"size < 50"`, `,"filter":"size > 70","page":1`, `,"offset":8,"attributesToRetrieve":[]`, `,"offset":30`,
				`,"facets":["kind"],"page":1`, `,"facets":["kind","size"],"page":1,"attributesToRetrieve":["title"]`, `,"facets":["kind"]`, `,"showRankingScore":true,"attributesToHighlight":["title"]`} {
				out = append(out, question{"POST", "/search", fmt.Sprintf(`{%s%s%s}`, q, distinct, more)})
			}
		}
	}
	return out
}

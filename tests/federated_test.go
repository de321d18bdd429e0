package tests

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// federated are federated searches over the indexes wares, goods (other
// settings, some of the same documents) and empty.
func federated() []question {
	var bodies []string
	add := func(format string, args ...any) { bodies = append(bodies, fmt.Sprintf(format, args...)) }
	for _, queries := range []string{
		`{"indexUid":"wares","q":"red apple"}`,
		`{"indexUid":"wares","q":"red"},{"indexUid":"goods","q":"red"}`,
		`{"indexUid":"goods","q":"table","federationOptions":{"weight":0.9}},{"indexUid":"wares","q":"lamp apple"}`,
		`{"indexUid":"wares","q":"sunflower"},{"indexUid":"wares","q":"red table","federationOptions":{"weight":1.5}},{"indexUid":"goods","q":"pear","federationOptions":{"weight":0}}`,
		`{"indexUid":"wares"},{"indexUid":"goods"}`,
		`{"indexUid":"wares","filter":"size > 50"},{"indexUid":"wares","q":"chair","filter":"size < 60"}`,
		`{"indexUid":"wares","sort":["size:asc"]},{"indexUid":"goods","sort":["size:asc"]}`,
		`{"indexUid":"wares","q":"red","sort":["size:desc"]},{"indexUid":"wares","q":"green","sort":["size:desc"],"federationOptions":{"weight":2}}`,
		`{"indexUid":"wares","sort":["mixed:desc","title:asc"]},{"indexUid":"wares","sort":["size:desc"],"filter":"size > 90"}`,
		`{"indexUid":"wares","q":"window","attributesToRetrieve":["title"],"showRankingScore":true},{"indexUid":"goods","q":"windov","showRankingScoreDetails":true,"attributesToHighlight":["*"]}`,
		`{"indexUid":"wares","filter":"id = 17"},{"indexUid":"goods","filter":"id IN [17, 20]"}`,
		`{"indexUid":"empty","q":"red"},{"indexUid":"wares","q":"red","matchingStrategy":"all"}`,
		`{"indexUid":"wares","sort":["_geoPoint(10, 20):asc"],"filter":"_geoRadius(10, 20, 3000000)"}`,
		`{"indexUid":"wares","hybrid":{"embedder":"v","semanticRatio":1},"vector":[0.1,0.5,0.2]},{"indexUid":"wares","q":"red","federationOptions":{"weight":0.3}}`,
		`{"indexUid":"wares","hybrid":{"embedder":"v","semanticRatio":1},"vector":[0.1,0.5,0.2],"retrieveVectors":true}`,
		`{"indexUid":"wares","q":"the"},{"indexUid":"wares","q":"the"}`,
		`{"indexUid":"wares","q":"pear","distinct":"maker","attributesToRetrieve":["id"]}`,
	} {
		for _, federation := range []string{`{}`, `{"limit":7,"offset":5}`, `{"limit":0}`, `{"page":2,"hitsPerPage":9}`, `{"limit":100,"offset":60}`,
			`{"facetsByIndex":{"wares":["kind","size"],"goods":null}}`, `{"limit":3,"facetsByIndex":{"wares":["*"],"goods":["kind","tags"]},"mergeFacets":{}}`,
			`{"facetsByIndex":{"wares":["tags"],"goods":["tags","kind"]},"mergeFacets":{"maxValuesPerFacet":4}}`, `{"facetsByIndex":{"wares":[]}}`} {
			add(`{"federation":%s,"queries":[%s]}`, federation, queries)
		}
		add(`{"queries":[%s]}`, queries)
	}
	return posts("/multi-search", bodies...)
}

// badFederated are federated searches that one node refuses.
func badFederated() []question {
	return posts("/multi-search",
		`{"federation":{},"queries":[]}`, `{"federation":null,"queries":[{"indexUid":"wares","q":"red"}]}`,
		`{"federation":{},"queries":[{"indexUid":"nope"}]}`, `{"federation":{},"queries":[{"indexUid":"wares"},{"indexUid":"nope","q":"x"},{"indexUid":"a"}]}`,
		`{"federation":{},"queries":[{"indexUid":"nope"},{"indexUid":"wares","limit":1}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares"},{"indexUid":"wares","limit":1}]}`, `{"federation":{},"queries":[{"indexUid":"wares","offset":1}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","page":1}]}`, `{"federation":{},"queries":[{"indexUid":"wares","hitsPerPage":1}]}`,
		`{"federation":{},"queries":[{"indexUid":"goods"},{"indexUid":"wares","facets":["kind"]}]}`,
		`{"federation":{},"queries":[{"indexUid":"goods"},{"indexUid":"wares","filter":"nope = 1"}]}`,
		`{"federation":{},"queries":[{"indexUid":"goods"},{"indexUid":"wares","filter":"size >"}]}`,
		`{"federation":{},"queries":[{"indexUid":"goods"},{"indexUid":"wares","sort":["nope:asc"]}]}`,
		`{"federation":{"facetsByIndex":{"wares":["nope"]}},"queries":[{"indexUid":"goods"},{"indexUid":"wares"}]}`,
		`{"federation":{"facetsByIndex":{"wares":["nope"]}},"queries":[{"indexUid":"goods"}]}`,
		`{"federation":{"facetsByIndex":{"nope":["kind"]}},"queries":[{"indexUid":"goods"}]}`,
		`{"federation":{"facetsByIndex":{"wares":["kind"]}},"queries":[{"indexUid":"goods"}]}`,
		`{"federation":{"facetsByIndex":{"not valid":["kind"]}},"queries":[{"indexUid":"goods"}]}`,
		`{"federation":{"lol":1},"queries":[{"indexUid":"goods"}]}`, `{"federation":{},"queries":[{"indexUid":"goods","lol":1}]}`,
		`{"federation":{},"queries":[{"q":"x"}]}`, `{"federation":{},"lol":1,"queries":[]}`, `{"federation":{"limit":-1},"queries":[]}`,
		`{"federation":{"page":"x"},"queries":[]}`, `{"federation":{"mergeFacets":{"maxValuesPerFacet":"x"}},"queries":[]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","federationOptions":{"weight":-1}}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","federationOptions":{"remote":"x"}}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","federationOptions":{"queryPosition":4}}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","useNetwork":true}]}`, `{"federation":{},"queries":[{"indexUid":"wares","personalize":{"userContext":"x"}}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","showPerformanceDetails":true}]}`,
		`{"federation":{"distinct":"maker"},"queries":[{"indexUid":"wares","distinct":"maker"}]}`,
		`{"federation":{"distinct":"nope"},"queries":[{"indexUid":"wares"}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","sort":["size:asc"]},{"indexUid":"wares","sort":["title:desc"]}]}`,
		`{"queries":[{"indexUid":"wares"},{"indexUid":"nope"}]}`, `{"queries":[{"indexUid":"wares","federationOptions":{}}]}`,
		`{"queries":[{"indexUid":"wares"},{"indexUid":"wares","filter":"nope = 1"}]}`, `{"queries":[]}`, `{}`, `[]`, `{"queries":1}`,
	)
}

// clashes are federated searches whose queries do not fit together. Which of two
// indexes is named first depends on what nodes call them, so only the kind of the
// error is compared.
func clashes() []question {
	return posts("/multi-search", `{"federation":{},"queries":[{"indexUid":"wares","sort":["size:asc"]},{"indexUid":"goods","sort":["size:desc"]}]}`,
		`{"federation":{},"queries":[{"indexUid":"wares","sort":["size:asc"],"q":""},{"indexUid":"goods","q":"red"}]}`,
		`{"federation":{"facetsByIndex":{"wares":["kind"],"counted":["kind"]},"mergeFacets":{}},"queries":[{"indexUid":"wares"},{"indexUid":"counted"}]}`)
}

// notEmbedded tells the questions that an embedded node does not answer as a
// real one does: facets over several queries of one index, an empty list of
// facets or a star, one query sorted by distance, vectors of queries, and which of two
// missing indexes is named.
func notEmbedded(q question) bool {
	return strings.Contains(q.body, `"wares":["*"]`) || strings.Count(q.body, `"indexUid":"wares"`) > 1 && strings.Contains(q.body, `"facetsByIndex":{"wares"`) ||
		strings.Contains(q.body, `"wares":[]`) || strings.Contains(q.body, `_geoPoint`) || strings.Contains(q.body, `"retrieveVectors"`) ||
		strings.Contains(q.body, `"nope","q":"x"`)
}

// A federated search over shards is that of one node.
func TestFederatedSearch(t *testing.T) {
	for _, o := range []fleet.Options{{Groups: 1, PerGroup: 3, Shards: 16}, {Groups: 1, PerGroup: 3, Replicas: 2, Shards: 8}, {Groups: 2, PerGroup: 1}} {
		t.Run(fmt.Sprintf("%d groups of %d with %d copies", o.Groups, o.PerGroup, max(1, o.Replicas)), func(t *testing.T) {
			w := startTwins(t, o, wareSettings, wares(1, 300))
			for _, s := range []fleet.API{w.many, w.one} {
				for _, uid := range []string{"goods", "counted", "empty"} {
					s.Write(t, "POST", "/indexes", `{"uid":"`+uid+`","primaryKey":"id"}`)
				}
				s.Write(t, "PATCH", "/indexes/goods/settings", strings.Replace(wareSettings, `"maxValuesPerFacet":10`, `"maxValuesPerFacet":6`, 1))
				s.Write(t, "PATCH", "/indexes/counted/settings", `{"filterableAttributes":["kind"],"faceting":{"sortFacetValuesBy":{"*":"count"}}}`)
				s.Write(t, "POST", "/indexes/goods/documents", wares(200, 150))
				s.Write(t, "POST", "/indexes/counted/documents", wares(1, 20))
			}
			asked := append(federated(), badFederated()...)
			if os.Getenv("MEILISEARCH_BIN") == "" {
				asked = slices.DeleteFunc(asked, notEmbedded)
			}
			w.same(t, asked...)
			if os.Getenv("MEILISEARCH_BIN") == "" {
				return // embedded nodes do not look whether queries fit together
			}
			for _, q := range clashes() {
				got, want := w.many.Do(t, q.method, q.url(), q.body), w.one.Do(t, q.method, q.url(), q.body)
				if got.Status != want.Status || got.Code() != want.Code() || want.Status != 400 || strings.Contains(string(got.Body), "miroir-i-") {
					t.Errorf("%s\n%d %s\nwant %d %s", q, got.Status, got.Body, want.Status, want.Body)
				}
			}
		})
	}
}

package embedded_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

var fedTimes = regexp.MustCompile(`"processingTimeMs":\d+|,"requestUid":"[^"]*"`)

// federated asks and cuts out what is different each time.
func (c *client) federated(body string, headers ...string) string {
	c.t.Helper()
	code, answer := c.send("POST", "/multi-search", body, headers...)
	if code != 200 {
		c.t.Fatalf("%s: %d %s", body, code, answer)
	}
	return fedTimes.ReplaceAllString(answer, "")
}

func startFilms(t *testing.T) *client {
	t.Helper()
	c := start(t, embedded.Options{})
	c.task("PATCH", "/indexes/a/settings", `{"filterableAttributes":["genre"],"sortableAttributes":["year","_geo"]}`)
	c.task("POST", "/indexes/a/documents", `[{"id":1,"t":"red one","genre":["x","Y"],"year":2,"_geo":{"lat":0,"lng":0}},{"id":2,"t":"red two","genre":"y","year":1},{"id":3,"t":"blue","genre":"z"}]`)
	c.task("PATCH", "/indexes/b/settings", `{"filterableAttributes":["genre"]}`)
	c.task("POST", "/indexes/b/documents", `[{"id":1,"t":"red three","genre":"Z"},{"id":2,"t":"red four","genre":"w"}]`)
	return c
}

func TestFacetsAndTotalsOverSeveralQueriesOfOneIndex(t *testing.T) {
	c := startFilms(t)
	got := c.federated(`{"federation":{"limit":1,"facetsByIndex":{"a":["genre"]}},"queries":[{"indexUid":"a","q":"red"},{"indexUid":"a","q":"two"},{"indexUid":"a","q":"blue"}]}`)
	if !strings.Contains(got, `"facetsByIndex":{"a":{"distribution":{"genre":{"x":1,"Y":2,"z":1}},"stats":{}}}`) || !strings.Contains(got, `"estimatedTotalHits":3`) {
		t.Error(got)
	}
}

func TestFederatedDistinctOverQueriesAndIndexes(t *testing.T) {
	c := startFilms(t)
	got := c.federated(`{"federation":{"distinct":"genre"},"queries":[{"indexUid":"a","q":"","attributesToRetrieve":["id"]},{"indexUid":"b","q":"","attributesToRetrieve":["id"]},{"indexUid":"a","q":"two","attributesToRetrieve":["id"]}]}`)
	var v struct {
		Hits []struct {
			ID         int
			Federation struct{ IndexUID string } `json:"_federation"`
		}
		EstimatedTotalHits int
	}
	if err := json.Unmarshal([]byte(strings.Replace(got, "],,", "],", 1)), &v); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	// 2 of a has a value of 1 of a, and 1 of b one of 3 of a
	if len(v.Hits) != 3 || v.EstimatedTotalHits != 3 {
		t.Errorf("%+v", v)
	}
}

func TestFederatedSearchForAProxy(t *testing.T) {
	c := startFilms(t)
	const ask = `{"federation":{"distinct":"genre","facetsByIndex":{"a":["genre"]}},"queries":[{"indexUid":"a","sort":["year:desc","_geoPoint(0,1):asc"],"attributesToRetrieve":["id"],"federationOptions":{"weight":0.5}}]}`
	if code, body := c.send("POST", "/multi-search", ask, "Meili-Proxy-Search", "true"); code != 400 || !strings.Contains(body, "Performing a remote federated search requires enabling the `network` experimental feature.") {
		t.Errorf("without the feature: %d %s", code, body)
	}
	c.want("PATCH", "/experimental-features", `{"network":true}`, 200, "")
	got := c.federated(ask, "Meili-Proxy-Search", "true")
	const first = `{"id":1,"_federation":{"indexUid":"a","queriesPosition":0,"weightedRankingScore":0.5,"weightedScoreValues":[{"sort":{"asc":false,"value":2.0}},{"geoSort":{"asc":true,"distance":111`
	if !strings.Contains(got, first) || !strings.Contains(got, `"extra_document":{"genre":["x","Y"]}`) || !strings.Contains(got, `{"sort":{"asc":false,"value":null}},{"geoSort":{"asc":true,"distance":null}}`) {
		t.Error(got)
	}
	if plain := c.federated(ask); strings.Contains(plain, "weightedScoreValues") {
		t.Errorf("without the header: %s", plain)
	}
}

func TestSortedDocumentsForAProxy(t *testing.T) {
	c := startFilms(t)
	code, got := c.send("POST", "/indexes/a/documents/fetch", `{"sort":["year:asc"],"fields":["id"]}`, "Meili-Proxy-Search", "true")
	const want = `{"results":[{"id":2,"_federation":{"weightedScoreValues":[{"sort":{"asc":true,"value":1}}]}},` +
		`{"id":1,"_federation":{"weightedScoreValues":[{"sort":{"asc":true,"value":2}}]}},` +
		`{"id":3,"_federation":{"weightedScoreValues":[{"sort":{"asc":true,"value":null}}]}}],"offset":0,"limit":20,"total":3}`
	if code != 200 || got != want {
		t.Errorf("%d %s", code, got)
	}
}

func TestFederatedQueriesMustBeOrderedAlike(t *testing.T) {
	c := start(t, embedded.Options{})
	for _, uid := range []string{"a", "b"} {
		c.task("PATCH", "/indexes/"+uid+"/settings", `{"sortableAttributes":["year","_geo"],"rankingRules":["typo","sort","words"]}`)
	}
	for queries, message := range map[string]string{
		`{"indexUid":"b","q":"x"},{"indexUid":"a","q":"y","sort":["year:asc"]},{"indexUid":"a","q":"y","matchingStrategy":"all"}`: "",
		`{"indexUid":"b","sort":["year:desc","year:asc"]},{"indexUid":"a","sort":["year:asc"]}`: "Inside `.queries[0]`: The results of queries #1 and #0 are incompatible: \n" +
			"  1. `queries[1].sort[0]`, `a.rankingRules[0]`: ascending sort rule(s) on field `year`\n" +
			"  2. `queries[0].sort[0]`, `b.rankingRules[0]`: descending sort rule(s) on field `year`\n" +
			"  - cannot compare two sort rules in opposite directions\n" +
			"  - note: The ranking rules of query #1 were modified during canonicalization:\n" +
			"    1. Removed relevancy rule `typo` at position #0 in ranking rules because the query is a placeholder search (`q`: \"\")\n" +
			"    2. Removed relevancy rule `words` at position #2 in ranking rules because the query is a placeholder search (`q`: \"\")\n" +
			"  - note: The ranking rules of query #0 were modified during canonicalization:\n" +
			"    1. Removed relevancy rule `typo` at position #0 in ranking rules because the query is a placeholder search (`q`: \"\")\n" +
			"    2. Removed duplicate rule `year:desc` at position #1 in `query.sort` (as `sort` is #1 in ranking rules) as it already appears at position #0 in `query.sort` (as `sort` is #1 in ranking rules)\n" +
			"    3. Removed relevancy rule `words` at position #2 in ranking rules because the query is a placeholder search (`q`: \"\")\n",
		`{"indexUid":"a","q":"x"},{"indexUid":"a","sort":["_geoPoint(1,2):asc"]}`: "Inside `.queries[1]`: The results of queries #0 and #1 are incompatible: \n" +
			"  1. `queries[0]`, `a.rankingRules[0..=2]`: relevancy rule(s) words, typo, words\n" +
			"  2. `queries[1].sort[0]`, `a.rankingRules[0]`: ascending geo sort rule(s) default\n" +
			"  - cannot compare a relevancy rule with a geosort rule\n" +
			"  - note: The ranking rules of query #0 were modified during canonicalization:\n" +
			"    1. Prepended rule `words` before first relevancy rule `typo` at position #0 in ranking rules\n" +
			"   2. Removed rule `sort` at position #1 in ranking rules because `query.sort` is empty\n" +
			"    3. Removed rule `words` at position #2 in ranking rules because it was previously prepended\n" +
			"  - note: The ranking rules of query #1 were modified during canonicalization:\n" +
			"    1. Removed relevancy rule `typo` at position #0 in ranking rules because the query is a placeholder search (`q`: \"\")\n" +
			"    2. Removed relevancy rule `words` at position #2 in ranking rules because the query is a placeholder search (`q`: \"\")\n",
	} {
		status, body := c.send("POST", "/multi-search", `{"federation":{},"queries":[`+queries+`]}`)
		var got struct{ Code, Message string }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if message == "" && status != 200 || message != "" && got.Code != "invalid_multi_search_query_ranking_rules" || got.Message != message {
			t.Errorf("%s\ngot  %d %s %s\nwant %s", queries, status, got.Code, got.Message, message)
		}
	}
}

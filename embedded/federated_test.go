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

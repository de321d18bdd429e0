package embedded_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/miroir-search/miroir/embedded"
)

const master = "a very long master key"

func TestKeysOpenWhatTheySay(t *testing.T) {
	c := start(t, embedded.Options{MasterKey: master})
	c.want("GET", "/health", "", 200, "")
	c.want("GET", "/indexes", "", 401, "")
	c.key = "wrong"
	c.want("GET", "/indexes", "", 403, "")
	c.key = master
	c.task("POST", "/indexes/films/documents", films)
	c.task("POST", "/indexes/books/documents", `[{"id":1}]`)
	_, body := c.send("GET", "/keys", "")
	if !strings.Contains(body, `"total":4}`) || !strings.HasPrefix(body, `{"results":[{"name":"Default Search API Key"`) {
		t.Errorf("keys: %s", body)
	}
	uid := "3fd3c2b7-05c8-4b0b-9b6d-6a1b6f2b5b39"
	_, body = c.send("POST", "/keys", `{"uid":"`+uid+`","actions":["search","documents.add"],"indexes":["fil*"],"expiresAt":null,"name":"n"}`)
	var k struct{ Key, UID string }
	if err := json.Unmarshal([]byte(body), &k); err != nil || len(k.Key) != 64 {
		t.Fatalf("%v: %s", err, body)
	}
	code, _ := c.send("POST", "/keys", `{"uid":"`+uid+`","actions":["search"],"indexes":["*"],"expiresAt":null}`)
	if code != 409 {
		t.Errorf("the same uid again gives %d", code)
	}
	c.want("PATCH", "/keys/"+uid, `{"actions":[]}`, 400, "")

	c.key = k.Key
	c.want("POST", "/indexes/films/search", `{}`, 200, "")
	c.want("GET", "/indexes/films/documents", "", 403, "")
	c.want("POST", "/indexes/books/search", `{}`, 403, `{"message":"The API key cannot acces the index `+"`books`"+
		`, authorized indexes are [\"fil*\"].","code":"invalid_api_key","type":"auth","link":"https://docs.meilisearch.com/errors#invalid_api_key"}`)
	c.want("POST", "/multi-search", `{"queries":[{"indexUid":"films"},{"indexUid":"books"}]}`, 403, "")

	c.key = master
	made := c.task("POST", "/indexes/films2/documents", `[{"id":1}]`)
	c.done(made, "succeeded", "")
	c.key = k.Key
	code, _ = c.send("POST", "/indexes/films3/documents", `[{"id":1}]`)
	c.key = master
	c.idle()
	if code != 202 {
		t.Errorf("documents.add gives %d", code)
	}
	c.failed(c.readTask(made.UID+1), "index_not_found", "Index `films3` not found.")
	c.want("DELETE", "/keys/"+uid, "", 204, "")
	c.want("GET", "/keys/"+uid, "", 404, "")
}

func TestTenantTokensAddTheirFilter(t *testing.T) {
	c := start(t, embedded.Options{MasterKey: master})
	c.key = master
	c.task("POST", "/indexes/films/documents", films)
	c.task("PUT", "/indexes/films/settings/filterable-attributes", `["genre","year"]`)
	_, body := c.send("POST", "/keys", `{"actions":["search"],"indexes":["*"],"expiresAt":null}`)
	var k struct{ Key, UID string }
	if err := json.Unmarshal([]byte(body), &k); err != nil {
		t.Fatal(err)
	}
	token := func(secret string, claims jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rules := map[string]any{"films": map[string]any{"filter": "genre = horror OR genre = crime"}}
	c.key = token(k.Key, jwt.MapClaims{"apiKeyUid": k.UID, "searchRules": rules})
	_, body = c.send("POST", "/indexes/films/search", `{"filter":"year > 1980"}`)
	if !strings.HasPrefix(body, `{"hits":[{"id":3,`) || !strings.Contains(body, `"estimatedTotalHits":1,`) {
		t.Errorf("search: %s", body)
	}
	c.want("POST", "/indexes/other/search", `{}`, 403, "")
	c.want("GET", "/indexes", "", 403, "")
	c.key = token("forged", jwt.MapClaims{"apiKeyUid": k.UID, "searchRules": rules})
	c.want("POST", "/indexes/films/search", `{}`, 403, "")
	c.key = token(k.Key, jwt.MapClaims{"apiKeyUid": k.UID, "searchRules": rules, "exp": time.Now().Add(-time.Hour).Unix()})
	code, body := c.send("POST", "/indexes/films/search", `{}`)
	if code != 403 || !strings.Contains(body, "Tenant token expired. Was valid up to") {
		t.Errorf("an expired token: %d %s", code, body)
	}
}

package tests

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// apiCall is one request of the script.
type apiCall struct {
	method, path, body string
	headers            []string
	// known says why the answers are known to differ; empty for calls that must be equal.
	known string
}

func (c apiCall) String() string {
	return strings.TrimSpace(c.method + " " + c.path + " " + strings.Join(c.headers, " ") + " " + c.body)
}

// readCalls reads a script. A line is METHOD PATH [@Header=Value]... [BODY]; the
// body is JSON, or csv"...", ndjson"..." or raw"..." (no content type) with Go's
// escapes. Lines that begin with # are remarks. ~ REASON before a call says that
// its answers are known to differ.
func readCalls(t *testing.T, file string) []apiCall {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []apiCall
	known := ""
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if reason, found := strings.CutPrefix(line, "~ "); found {
			known = reason
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		c := apiCall{known: known}
		known = ""
		c.method, line, _ = strings.Cut(line, " ")
		c.path, line, _ = strings.Cut(line, " ")
		for strings.HasPrefix(line, "@") {
			var header string
			header, line, _ = strings.Cut(line[1:], " ")
			name, value, _ := strings.Cut(header, "=")
			value, err = url.QueryUnescape(value)
			if err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
			c.headers = append(c.headers, name, value)
		}
		if c.body, err = readBody(line, &c); err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
		out = append(out, c)
	}
	return out
}

func readBody(text string, c *apiCall) (string, error) {
	for prefix, kind := range map[string]string{"csv": "text/csv", "ndjson": "application/x-ndjson", "raw": "", "json": "application/json"} {
		if quoted, found := strings.CutPrefix(text, prefix+`"`); found {
			c.headers = append(c.headers, "Content-Type", kind)
			return strconv.Unquote(`"` + quoted)
		}
	}
	return text, nil
}

// settingValues are values of every kind, to be put where one kind is expected.
var anyValues = []string{`null`, `true`, `1`, `-1`, `1.5`, `"x"`, `""`, `[]`, `{}`, `["a"]`, `[1]`, `{"a":1}`}

// generatedCalls put values of every kind into every parameter.
func generatedCalls() []apiCall {
	var out []apiCall
	body := func(method, path string, names ...string) {
		for _, name := range names {
			for _, v := range anyValues {
				out = append(out, apiCall{method: method, path: path, body: fmt.Sprintf(`{%q:%s}`, name, v)})
			}
		}
	}
	query := func(path, more string, names ...string) {
		for _, name := range names {
			for _, v := range []string{"", "x", "-1", "1", "1.5", "true", "a,b", "*", "%22", "[1]"} {
				out = append(out, apiCall{method: "GET", path: path + "?" + more + name + "=" + v})
			}
		}
	}
	body("POST", "/indexes/movies/search", "q", "vector", "media", "hybrid", "offset", "limit", "page", "hitsPerPage", "attributesToRetrieve",
		"retrieveVectors", "attributesToCrop", "cropLength", "attributesToHighlight", "showMatchesPosition", "showRankingScore",
		"showRankingScoreDetails", "filter", "sort", "distinct", "facets", "highlightPreTag", "highlightPostTag", "cropMarker",
		"matchingStrategy", "attributesToSearchOn", "rankingScoreThreshold", "locales", "personalize", "useNetwork", "nope", "Limit")
	query("/indexes/movies/search", "", "q", "vector", "offset", "limit", "page", "hitsPerPage", "attributesToRetrieve", "retrieveVectors",
		"attributesToCrop", "cropLength", "attributesToHighlight", "filter", "sort", "distinct", "showMatchesPosition", "showRankingScore",
		"showRankingScoreDetails", "facets", "highlightPreTag", "cropMarker", "matchingStrategy", "attributesToSearchOn", "hybridEmbedder",
		"hybridSemanticRatio", "rankingScoreThreshold", "locales", "nope")
	body("POST", "/indexes/movies/documents/fetch", "offset", "limit", "fields", "retrieveVectors", "ids", "filter", "sort", "useNetwork", "nope")
	query("/indexes/movies/documents", "", "offset", "limit", "fields", "retrieveVectors", "ids", "filter", "sort", "nope")
	query("/indexes/movies/documents/1", "", "fields", "retrieveVectors", "nope")
	query("/tasks", "", "limit", "from", "reverse", "batchUids", "uids", "canceledBy", "types", "statuses", "indexUids", "afterEnqueuedAt",
		"beforeEnqueuedAt", "afterStartedAt", "beforeStartedAt", "afterFinishedAt", "beforeFinishedAt", "nope")
	query("/batches", "", "limit", "from", "reverse", "uids", "types", "statuses", "nope")
	query("/indexes", "", "offset", "limit", "nope")
	query("/keys", "", "offset", "limit", "nope")
	query("/stats", "", "showInternalDatabaseSizes", "sizeFormat", "nope")
	body("POST", "/indexes/movies/facet-search", "facetName", "facetQuery", "q", "filter", "matchingStrategy", "attributesToSearchOn",
		"rankingScoreThreshold", "locales", "exhaustiveFacetCount", "nope")
	body("POST", "/indexes/movies/similar", "id", "embedder", "offset", "limit", "filter", "nope")
	body("POST", "/multi-search", "queries", "federation", "nope")
	body("POST", "/indexes/movies/fields", "offset", "limit", "filter", "nope")
	body("POST", "/indexes", "uid", "primaryKey", "nope")
	body("PATCH", "/indexes/movies", "primaryKeyy", "updatedAt", "nope")
	body("PATCH", "/experimental-features", "metrics", "nope")
	body("POST", "/keys", "name", "description", "uid", "actions", "indexes", "expiresAt", "nope")
	body("POST", "/webhooks", "headers", "nope")
	body("PATCH", "/network", "remotes", "shards", "self", "leader", "nope")
	body("POST", "/indexes/movies/documents/delete", "filter", "nope")
	body("POST", "/indexes/movies/documents/edit", "function", "filter", "context", "nope")
	return out
}

// settingCalls put values of every kind into every setting, read what became of
// it, and put it back.
func settingCalls() []apiCall {
	var out []apiCall
	for _, s := range []struct{ verb, path, name string }{
		{"PUT", "displayed-attributes", "displayedAttributes"}, {"PUT", "searchable-attributes", "searchableAttributes"},
		{"PUT", "filterable-attributes", "filterableAttributes"}, {"PUT", "sortable-attributes", "sortableAttributes"},
		{"PUT", "ranking-rules", "rankingRules"}, {"PUT", "stop-words", "stopWords"}, {"PUT", "non-separator-tokens", "nonSeparatorTokens"},
		{"PUT", "separator-tokens", "separatorTokens"}, {"PUT", "dictionary", "dictionary"}, {"PUT", "synonyms", "synonyms"},
		{"PUT", "distinct-attribute", "distinctAttribute"}, {"PUT", "proximity-precision", "proximityPrecision"},
		{"PATCH", "typo-tolerance", "typoTolerance"}, {"PATCH", "faceting", "faceting"}, {"PATCH", "pagination", "pagination"},
		{"PATCH", "embedders", "embedders"}, {"PUT", "search-cutoff-ms", "searchCutoffMs"}, {"PUT", "localized-attributes", "localizedAttributes"},
		{"PUT", "facet-search", "facetSearch"}, {"PUT", "prefix-search", "prefixSearch"}, {"PATCH", "chat", "chat"}, {"PUT", "foreign-keys", "foreignKeys"},
	} {
		path := "/indexes/settings/settings/" + s.path
		for _, v := range anyValues {
			out = append(out, apiCall{method: s.verb, path: path, body: v})
		}
		out = append(out, apiCall{method: "GET", path: path})
		for _, v := range anyValues {
			out = append(out, apiCall{method: "PATCH", path: "/indexes/settings/settings", body: fmt.Sprintf(`{%q:%s}`, s.name, v)})
		}
		out = append(out, apiCall{method: "GET", path: "/indexes/settings/settings"}, apiCall{method: "DELETE", path: path},
			apiCall{method: "GET", path: path}, apiCall{method: "POST", path: path})
	}
	return append(out, apiCall{method: "DELETE", path: "/indexes/settings/settings"}, apiCall{method: "GET", path: "/indexes/settings/settings"},
		apiCall{method: "DELETE", path: "/indexes/settings"})
}

// apiLoosenings are the members that may differ between the two servers. Each has a
// line in docs/embedded.md.
var apiLoosenings = append([]compare.Loosening{
	pathLoosening("times", `(^|\.)(createdAt|updatedAt|enqueuedAt|startedAt|finishedAt|lastUpdate|duration|processingTimeMs)$`),
	pathLoosening("request-uid", `^requestUid$|^results\[\d+\]\.requestUid$|queryUid$`),
	pathLoosening("disk-sizes", `^(databaseSize|usedDatabaseSize)$|rawDocumentDbSize$|avgDocumentSize$|internalDatabaseSizes|CompactionSize$|^(pre|post)Size$`),
	pathLoosening("batch-internals", `(^|\.)stats\.(progressTrace|writeChannelCongestion|internalDatabaseSizes)|batchStrategy$`),
	pathLoosening("dump-uid", `dumpUid$`),
	pathLoosening("version", `^commit(Sha|Date)$`),
	pathLoosening("chat-prompts", `^prompts\.`),
	pathLoosening("network-version", `^version$`),
	pathLoosening("performance-details", `performanceDetails`),
}, compare.Rounding...)

func pathLoosening(name, pattern string) compare.Loosening {
	at := regexp.MustCompile(pattern)
	return compare.Loosening{Name: name, Applies: func(string) bool { return true },
		Forgives: func(path string, _, _ any) bool { return at.MatchString(path) }}
}

var (
	uuidText = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	keyText  = regexp.MustCompile(`"key":"[0-9a-f]{64}"`)
	unixText = regexp.MustCompile("`\\d{10}`")
)

// blur replaces what is drawn by lot.
func blur(body []byte) []byte {
	body = uuidText.ReplaceAll(body, []byte("UUID"))
	body = keyText.ReplaceAll(body, []byte(`"key":"KEY"`))
	return unixText.ReplaceAll(body, []byte("`SECONDS`"))
}

// apiServer is one side of the comparison, with what it has drawn by lot.
type apiServer struct {
	fleet.API
	uuid string // the last one in an answer to a POST
}

const apiMasterKey = "master-key-of-the-comparison"

// send sends a call and waits for its task.
func (s *apiServer) send(t *testing.T, c apiCall) (*fleet.Answer, []byte) {
	t.Helper()
	headers := make([]string, len(c.headers))
	for i, h := range c.headers {
		headers[i] = s.fill(h)
	}
	a := s.Do(t, c.method, s.fill(c.path), s.fill(c.body), headers...)
	if c.method == "POST" && a.Status == 201 {
		s.uuid = string(uuidText.Find(a.Body))
	}
	uid := a.TaskUID()
	if uid < 0 {
		return a, nil
	}
	var task []byte
	fleet.Eventually(t, 30*time.Second, "end of the task of "+c.String(), func() error {
		task = s.Do(t, "GET", fmt.Sprintf("/tasks/%d", uid), "").Body
		var v struct{ Status string } // a real server may show the end before the status
		if err := json.Unmarshal(task, &v); err != nil || v.Status == "enqueued" || v.Status == "processing" {
			return fmt.Errorf("not finished: %s", task)
		}
		return nil
	})
	return a, task
}

// fill puts values that differ by server, and tokens, into a text.
func (s *apiServer) fill(text string) string {
	text = strings.ReplaceAll(text, "{uuid}", s.uuid)
	text = strings.ReplaceAll(text, "{url}", s.URL)
	for name, token := range tenantTokens() {
		text = strings.ReplaceAll(text, "{token:"+name+"}", token)
	}
	return text
}

// searchKeyUID is a key that the script makes; its value follows from the master key.
const searchKeyUID = "6062abda-a5aa-4414-ac91-ecd7944c0f8d"

// keyOf is the value of an API key.
func keyOf(uid string) string {
	mac := hmac.New(sha256.New, []byte(apiMasterKey))
	mac.Write([]byte(uid))
	return hex.EncodeToString(mac.Sum(nil))
}

func tenantTokens() map[string]string {
	secret := []byte(keyOf(searchKeyUID))
	sign := func(claims jwt.MapClaims, with []byte) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(with)
		if err != nil {
			return err.Error()
		}
		return text
	}
	rules := func(r any) jwt.MapClaims { return jwt.MapClaims{"apiKeyUid": searchKeyUID, "searchRules": r} }
	expired := rules([]string{"*"})
	expired["exp"] = 1000000000
	return map[string]string{
		"all":     sign(rules([]string{"*"}), secret),
		"movies":  sign(rules(map[string]any{"movies": map[string]any{"filter": "genre = drama"}}), secret),
		"other":   sign(rules([]string{"oth*"}), secret),
		"expired": sign(expired, secret),
		"forged":  sign(rules([]string{"*"}), []byte("not the key")),
		"nokey":   sign(jwt.MapClaims{"apiKeyUid": "11111111-1111-4111-8111-111111111111", "searchRules": []string{"*"}}, secret),
		"norules": sign(jwt.MapClaims{"apiKeyUid": searchKeyUID}, secret),
		"badrule": sign(rules(1), secret),
		"value":   keyOf(searchKeyUID),
	}
}

// The embedded node and a real server give the same answer to every call of the
// script, and the same end of every task.
func TestAPICallsOfARealServer(t *testing.T) {
	bin := fleet.RealBinary(t)
	real := &apiServer{API: fleet.StartNodeWithKey(t, "real", bin, apiMasterKey).API}
	node := &apiServer{API: fleet.StartNodeWithKey(t, "embedded", "", apiMasterKey).API}
	calls := readCalls(t, "apicalls.txt")
	calls = append(calls, generatedCalls()...)
	calls = append(calls, settingCalls()...)
	calls = append(calls, readCalls(t, "apicalls_end.txt")...)
	used := make(map[string]int)
	same, different := 0, 0
	for _, c := range calls {
		want, wantTask := real.send(t, c)
		got, gotTask := node.send(t, c)
		loose := compare.Of(c.body, apiLoosenings)
		found := differences(got, want, func(name string) { used[name]++ }, loose)
		for _, d := range taskDifferences(gotTask, wantTask, func(name string) { used[name]++ }, loose) {
			found = append(found, "task: "+d)
		}
		switch {
		case c.known != "" && len(found) == 0:
			t.Errorf("%s\n  is equal now, although it is said to differ: %s", c, c.known)
		case len(found) == 0 || c.known != "":
			same++
			continue
		}
		different++
		t.Errorf("%s\n  real:     %d %s\n  embedded: %d %s\n  %s", c, want.Status, head(want.Body), got.Status, head(got.Body), strings.Join(found, "\n  "))
	}
	t.Logf("%d calls, %d equal, %d different; loosenings used: %v", len(calls), same, different, used)
}

func head(b []byte) string { return string(b[:min(len(b), 600)]) }

func differences(got, want *fleet.Answer, used func(string), loose []compare.Loosening) []string {
	var out []string
	if got.Status != want.Status {
		out = append(out, fmt.Sprintf("status %d, want %d", got.Status, want.Status))
	}
	a, b := blur(got.Body), blur(want.Body)
	if !json.Valid(b) {
		if string(a) != string(b) {
			out = append(out, "another text")
		}
		return out
	}
	return append(out, compare.JSON(a, b, used, loose...)...)
}

func taskDifferences(got, want []byte, used func(string), loose []compare.Loosening) []string {
	if got == nil && want == nil {
		return nil
	}
	if got == nil || want == nil {
		return []string{fmt.Sprintf("%s, want %s", got, want)}
	}
	return compare.JSON(blur(got), blur(want), used, loose...)
}

func TestEveryLooseningOfTheAPICallsIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "embedded.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range apiLoosenings {
		if !strings.Contains(string(text), "`"+l.Name+"`") {
			t.Errorf("docs/embedded.md does not name %s", l.Name)
		}
	}
}

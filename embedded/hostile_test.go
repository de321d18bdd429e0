package embedded_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/miroir-search/miroir/embedded"
)

// hostile is a request body no good client sends.
type hostile struct {
	name, body string
	headers    []string
	// heavy bodies are sent to one route of each way to read a body.
	heavy bool
	// only is how the paths end that it is sent to; "" is all.
	only string
}

// longRun says how much of everything is sent: with MIROIR_LONG more and greater things.
var longRun = os.Getenv("MIROIR_LONG") != ""

// hostileSize is the length of a long text; the node takes bodies of a bit more.
func hostileSize() int {
	if longRun {
		return 10 << 20
	}
	return 256 << 10
}

func zipped(t *testing.T, s string, keep float64) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()[:int(float64(b.Len())*keep)]
}

func brotlied(t *testing.T, s string, keep float64) string {
	t.Helper()
	var b bytes.Buffer
	z := brotli.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()[:int(float64(b.Len())*keep)]
}

// wrongValues are values of a wrong type or size for nearly every member there is.
var wrongValues = []string{`null`, `true`, `""`, `"x"`, `-1`, `1e400`, `-1e400`, `1.5`, `18446744073709551616`, `9223372036854775807`, `18446744073709551615`, `1e30`,
	`[]`, `[null]`, `[[]]`, `[1,-1,"x",{}]`, `{}`, `{"":{}}`, `{"a":[{"b":null}]}`, "\"\\u0000\"", `"\ud800"`, `"2024-13-45T99:99:99Z"`, `"*"`, `"a:1e9"`, `":::"`}

// members are the names bodies of any route know.
var members = []string{"q", "offset", "limit", "page", "hitsPerPage", "filter", "sort", "facets", "distinct", "attributesToRetrieve", "attributesToCrop", "cropLength",
	"cropMarker", "attributesToHighlight", "highlightPreTag", "showMatchesPosition", "matchingStrategy", "attributesToSearchOn", "rankingScoreThreshold", "locales",
	"hybrid", "vector", "media", "personalize", "retrieveVectors", "queries", "federation", "facetName", "facetQuery", "exhaustiveFacetCount", "id", "ids", "fields",
	"embedder", "uid", "primaryKey", "indexes", "rename", "actions", "expiresAt", "name", "description", "key", "url", "headers", "function", "context", "payloadSize",
	"displayedAttributes", "searchableAttributes", "filterableAttributes", "sortableAttributes", "rankingRules", "stopWords", "nonSeparatorTokens", "separatorTokens",
	"dictionary", "synonyms", "distinctAttribute", "proximityPrecision", "typoTolerance", "faceting", "pagination", "embedders", "searchCutoffMs", "localizedAttributes",
	"facetSearch", "prefixSearch", "chat", "foreignKeys", "network", "metrics", "containsFilter", "template", "input", "self", "remotes", "target", "prompts", "source",
	"indexUid", "queryIndexUid", "weight", "remote", "mergeFacets", "facetsByIndex", "minWordSizeForTypos", "enabled", "disableOnWords", "disableOnAttributes", "disableOnNumbers",
	"maxValuesPerFacet", "sortFacetValuesBy", "maxTotalHits", "dimensions", "features", "attributePatterns", "semanticRatio", "lat", "lng", "embeddings", "regenerate", "e", "attribute", "cropLength"}

func hostileBodies(t *testing.T) []hostile {
	long := strings.Repeat("x", hostileSize())
	deep := strings.Repeat("[", 100_000)
	csv, nd := []string{"Content-Type", "text/csv"}, []string{"Content-Type", "application/x-ndjson"}
	all := []hostile{
		{name: "nothing"}, {name: "blanks", body: " \n\t"}, {name: "a NUL", body: "\x00"}, {name: "a mark", body: "\xef\xbb\xbf{}"},
		{name: "not UTF-8", body: "{\"q\":\"\xff\xfe\",\"\xc0\x80\":1}"}, {name: "documents not UTF-8", body: "[{\"id\":\"\xff\"},{\"id\":1,\"\xc3\":\"\xed\xa0\x80\"}]"},
		{name: "NULs in strings", body: `{"q":"a` + "\x00" + `b","uid":"\u0000","id":"\u0000"}`},
		{name: "half a surrogate", body: `{"q":"\ud800","uid":"\udfff","filter":"a = '\udc00'"}`},
		{name: "the same key twice", body: `{"q":"a","q":1,"uid":"a","uid":"b","limit":1,"limit":-1,"filter":"a","filter":[]}`},
		{name: "documents with a key twice", body: `[{"id":1,"id":2,"a":1,"a":{}},{"id":1}]`},
		{name: "deep arrays", body: deep, heavy: true}, {name: "deep arrays that end", body: deep + strings.Repeat("]", 100_000), heavy: true},
		{name: "a deep filter", body: `{"filter":` + strings.Repeat("[", 120) + `"a"` + strings.Repeat("]", 120) + `}`},
		{name: "a deep filter text", body: `{"filter":"` + strings.Repeat("(", 100_000) + `"}`, heavy: true},
		{name: "many NOTs", body: `{"filter":"` + strings.Repeat("NOT ", 100_000) + `a = 1"}`, heavy: true},
		{name: "many ORs", body: `{"filter":"` + strings.Repeat("a = 1 OR ", 30_000) + `a = 1"}`, heavy: true},
		{name: "deep objects in a document", body: `[{"id":1,"a":` + strings.Repeat(`{"a":`, 125) + `1` + strings.Repeat(`}`, 125) + `}]`},
		{name: "a long text", body: `{"q":"` + long + `","filter":"` + `"}`, heavy: true},
		{name: "a long filter", body: `{"filter":"a = ` + long + `"}`, heavy: true},
		{name: "a long name", body: `{"` + long + `":1}`, heavy: true},
		{name: "a long document", body: `[{"id":"` + long + `"},{"id":1,"` + long[:len(long)/2] + `":"x"}]`, heavy: true},
		{name: "a long word in a document", body: `[{"id":1,"t":"` + long + `"}]`, heavy: true},
		{name: "too much", body: `[` + strings.Repeat(" ", 2*hostileSize()+1<<20) + `]`, heavy: true},
		{name: "many words", body: `{"q":"` + strings.Repeat("ab ", 100_000) + `"}`, heavy: true},
		{name: "many quotes", body: `{"q":"` + strings.Repeat(`\"a b\" -\"c `, 20_000) + `"}`, heavy: true},
		{name: "many facets", body: `{"facets":[` + strings.Repeat(`"*",`, 10_000) + `"a"]}`, heavy: true},
		{name: "many sorts", body: `{"sort":[` + strings.Repeat(`"a:asc",`, 10_000) + `"a:asc"]}`, heavy: true},
		{name: "many queries", body: `{"queries":[` + strings.Repeat(`{"indexUid":"films"},`, 2000) + `{}]}`, heavy: true},
		{name: "wide documents", body: `[{"id":1` + wide(66_000) + `}]`, heavy: true, only: "/documents"},
		{name: "cut JSON", body: `{"q":"a`}, {name: "more than JSON", body: `{} {}`}, {name: "a list", body: `[]`}, {name: "a number", body: `1`}, {name: "a text", body: `"x"`},
		{name: "null", body: `null`}, {name: "lists in lists", body: `[[1],[[]],null,{"id":{}},{"id":[1]}]`},
		{name: "documents that are none", body: `[null]`}, {name: "ids of all sorts", body: `[{"id":1.5},{"id":null},{"id":""},{"id":true},{"id":1e400}]`},
		{name: "ids to delete", body: `[1.5,null,"",true,{},[],-1,1e30,"a b"]`},
		{name: "no type", body: `{}`, headers: []string{"Content-Type", ""}},
		{name: "a wrong type", body: `{}`, headers: []string{"Content-Type", "image/png"}}, {name: "a broken type", body: `{}`, headers: []string{"Content-Type", ";;;=\"/"}},
		{name: "a type of another set", body: `{}`, headers: []string{"Content-Type", "application/json; charset=utf-16"}},
		{name: "CSV", body: "id,a:number,a:boolean,:\n1,x,y\n\"", headers: csv}, {name: "CSV not UTF-8", body: "id\xff\n\xfe\n", headers: csv},
		{name: "CSV of commas", body: strings.Repeat(",", 100_000) + "\n1", headers: csv, heavy: true}, {name: "CSV without rows", body: "id", headers: csv},
		{name: "lines", body: "{\"id\":1}\n\n[]\n{\"id\"", headers: nd}, {name: "deep lines", body: "{\"id\":1,\"a\":" + deep, headers: nd, heavy: true},
		{name: "an unknown encoding", body: `{}`, headers: []string{"Content-Encoding", "zstd, gzip"}},
		{name: "gzip that is none", body: `{}`, headers: []string{"Content-Encoding", "gzip"}}, {name: "brotli that is none", body: `{}`, headers: []string{"Content-Encoding", "br"}},
		{name: "deflate that is none", body: `{}`, headers: []string{"Content-Encoding", "deflate"}},
		{name: "cut gzip", body: zipped(t, `{"q":"`+long[:9000]+`"}`, 0.7), headers: []string{"Content-Encoding", "gzip"}},
		{name: "gzip without its end", body: zipped(t, `{"q":"hello"}`, 0.8), headers: []string{"Content-Encoding", "gzip"}},
		{name: "cut brotli", body: brotlied(t, `{"q":"hello hello, who is there, and there"}`, 0.5), headers: []string{"Content-Encoding", "br"}},
		{name: "a gzip bomb", body: zipped(t, strings.Repeat(" ", 20*hostileSize()), 1), headers: []string{"Content-Encoding", "gzip"}, heavy: true},
		{name: "a brotli bomb", body: brotlied(t, strings.Repeat(" ", 10*hostileSize()), 1), headers: []string{"Content-Encoding", "br"}, heavy: true},
	}
	for _, v := range wrongValues { // every member with every wrong value, alone, is too much: all members at once fails at the first
		for i, name := range members {
			if i%len(wrongValues) == 0 {
				all = append(all, hostile{name: "all members " + v + " from " + name, body: objectOf(members[i:], v)})
			}
		}
	}
	return all
}

func wide(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":%d`, i, i)
	}
	return b.String()
}

func objectOf(names []string, value string) string {
	return `{"` + strings.Join(names, `":`+value+`,"`) + `":` + value + `}`
}

var hostileQueries = []string{"", "?", "?&&=&", "?limit=-1&offset=1e400", "?limit=18446744073709551616", "?q=%ff%fe%00&limit=1", "?%zz=%", "?filter=%28%28%28&q=(", "?q=" + strings.Repeat("a+", 20_000),
	"?" + strings.Repeat("limit=1&", 5000), "?fields=" + strings.Repeat("a,", 20_000), "?uids=*,1,99999999999999999999&statuses=x", "?afterEnqueuedAt=0000-00-00", "?csvDelimiter=%00%00",
	"?primaryKey=" + strings.Repeat("k", 100_000), "?vector=1,NaN,1e400&hybridEmbedder=x", "?sort=a&sort=b&rankingScoreThreshold=NaN", "?sizeFormat=x&reverse=2&from=-1", "?customMetadata=%F0%28"}

func hostileParams() map[string][]string {
	long := strings.Repeat("a", 70_000)
	return map[string][]string{
		"index": {"films", "none", "*", "a%2F..%2Fb", "%00", "%ff", long, "%F0%9F%98%80"},
		"id":    {"1", "a%20b", "%00", long}, "document": {"1", "%ff", long}, "task": {"0", "-1", "4294967296", "1e3", "x", "%00"}, "batch": {"0", "-1", "99999999999999999999"},
		"key": {"x", "%00", long}, "uuid": {"x", "00000000-0000-0000-0000-000000000000", long},
	}
}

// hostileRoutes fills in the parameters of all routes: with good values first, then with bad ones.
func hostileRoutes() (good, bad [][2]string) {
	params := hostileParams()
	for _, r := range embedded.Routes() {
		parts := strings.Split(r[1], "/")
		most := 1
		for round := 0; round < most; round++ {
			filled := make([]string, len(parts))
			for i, p := range parts {
				filled[i] = p
				if name, ok := strings.CutPrefix(p, ":"); ok {
					values := params[name]
					if values == nil {
						values = params["id"]
					}
					most = max(most, len(values))
					filled[i] = values[round%len(values)]
				}
			}
			call := [2]string{r[0], strings.Join(filled, "/")}
			if round == 0 {
				good = append(good, call)
			} else {
				bad = append(bad, call)
			}
		}
	}
	return good, bad
}

type hostileNode struct {
	*client
	logs *logtest.Hook
}

func startHostile(t *testing.T) *hostileNode {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.InfoLevel)
	h := &hostileNode{client: start(t, embedded.Options{MaxPayload: int64(hostileSize() + 1<<20), Logger: log}), logs: hook}
	h.task("PATCH", "/indexes/films/settings", `{"filterableAttributes":["year","genre"],"sortableAttributes":["year"],"embedders":{"e":{"source":"userProvided","dimensions":2}}}`)
	h.task("POST", "/indexes/films/documents", strings.ReplaceAll(films, `"year"`, `"_vectors":{"e":[1,2]},"year"`))
	return h
}

// check sends one request and looks at the answer: no panic, no fault of the node's own, the shape of errors.
func (h *hostileNode) check(what, method, path, body string, headers ...string) {
	h.t.Helper()
	u, err := url.Parse("http://node" + path)
	if err != nil { // what no client can send; the raw ones are sent over a socket elsewhere
		u = &url.URL{Scheme: "http", Host: "node", Path: path}
	}
	req := (&http.Request{Method: method, URL: u, Header: http.Header{"Content-Type": {"application/json"}}, Host: "node",
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}).WithContext(context.Background())
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	started := time.Now()
	res, err := h.node.Transport().RoundTrip(req)
	if err != nil {
		h.t.Errorf("%s to %s %.60s: %v", what, method, path, err)
		return
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	if took := time.Since(started); took > 10*time.Second {
		h.t.Errorf("%s to %s %.60s took %s", what, method, path, took)
	}
	soundAnswer(h.t, what+" to "+method+" "+short(path), res.StatusCode, string(answer))
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func soundAnswer(t *testing.T, what string, status int, answer string) {
	t.Helper()
	if status < 400 {
		return
	}
	if answer == "" && (status == 404 || status == 405) {
		return // as a real server answers unknown routes
	}
	var e struct{ Message, Code, Type, Link string }
	if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Message == "" || e.Code == "" || e.Type == "" || e.Link == "" {
		t.Errorf("%s: not the shape of an error: %d %s", what, status, short(answer))
		return
	}
	switch {
	case status < 500 || status == 501 && e.Code == "miroir_not_supported":
	case status == 501 && strings.HasPrefix(e.Message, "Non-streamed chat completions is not implemented"): // as on a real server
	case status == 500 && strings.Contains(e.Message, "expected a map"): // a real server calls documents that are none its own fault
	default:
		t.Errorf("%s: %d %s", what, status, short(answer))
	}
}

// finish checks that no task crashed either, that the node still works and that it gave the memory back.
func (h *hostileNode) finish(before uint64) {
	h.t.Helper()
	h.idle()
	_, tasks := h.send("GET", "/tasks?limit=1000&statuses=failed", "")
	if strings.Contains(tasks, `"code":"internal"`) {
		i := strings.Index(tasks, `"code":"internal"`)
		h.t.Errorf("a task crashed: %s", tasks[max(0, i-700):min(len(tasks), i+100)])
	}
	for _, e := range h.logs.AllEntries() {
		if e.Level <= logrus.ErrorLevel {
			h.t.Errorf("%s\n%v", e.Message, e.Data["stack"])
		}
	}
	h.task("DELETE", "/indexes/films", "")
	h.task("DELETE", "/tasks?statuses=*", "") // their errors and details hold what was sent
	h.logs.Reset()
	if grown := int64(heap()) - int64(before); grown > 30<<20 {
		h.t.Errorf("the node keeps %d MiB more than before", grown>>20)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// openGates turns on what hides routes and parameters. The log stays as it is: following it has no end.
func (h *hostileNode) openGates() {
	h.t.Helper()
	h.want("PATCH", "/experimental-features", `{"metrics":true,"editDocumentsByFunction":true,"containsFilter":true,"dynamicSearchRules":true,"network":true,`+
		`"getTaskDocumentsRoute":true,"taskQueueCompactionRoute":true,"compositeEmbedders":true,"chatCompletions":true,"multimodal":true,"foreignKeys":true,"renderRoute":true}`, 200, "")
}

// readers are the ends of paths that read an index; all other calls go to another one, so that these find something.
var readers = []string{"/search", "/facet-search", "/similar", "/documents/fetch", "/fields"}

// heavyCalls stand for the ways to read a body.
var heavyCalls = []string{"POST /indexes/films/search", "POST /indexes/films/facet-search", "POST /multi-search", "POST /indexes/films/documents/fetch",
	"POST /indexes/other/documents/delete", "POST /indexes/other/documents", "PUT /indexes/other/documents", "PATCH /indexes/other/settings", "POST /keys"}

// harmless lets calls that write go to other indexes than the one that is searched.
func harmless(r [2]string) [2]string {
	rest, onFilms := strings.CutPrefix(r[1], "/indexes/films")
	switch {
	case !onFilms || r[0] == "GET" || slices.Contains(readers, rest):
		return r
	case r[0] == "DELETE" && rest == "":
		return [2]string{r[0], "/indexes/gone"}
	default:
		return [2]string{r[0], "/indexes/other" + rest}
	}
}

func TestBadBodiesToEveryRoute(t *testing.T) {
	h := startHostile(t)
	h.openGates()
	before := heap()
	good, _ := hostileRoutes()
	_, gates := h.send("GET", "/experimental-features", "")
	heavySent := map[string]bool{}
	for n, b := range hostileBodies(t) {
		// bodies mean something only where they reach an index
		if code, answer := h.send("POST", "/indexes/films/search", `{"q":"alien","filter":"year > 1","sort":["year:asc"]}`); code != 200 || strings.Contains(answer, `"hits":[]`) {
			t.Fatalf("before %s a good search gives %d %s", b.name, code, answer)
		}
		for i, r := range good {
			if strings.HasPrefix(b.name, "all members") && !longRun && (n+i)%4 != 0 {
				continue // without MIROIR_LONG each route gets a quarter of them
			}
			r = harmless(r)
			call := r[0] + " " + r[1]
			if b.heavy && !slices.Contains(heavyCalls, call) || !strings.HasSuffix(r[1], b.only) {
				continue
			}
			heavySent[call] = heavySent[call] || b.heavy
			h.check(b.name, r[0], r[1], b.body, b.headers...)
		}
		h.idle()
	}
	h.want("GET", "/experimental-features", "", 200, gates)
	for _, call := range heavyCalls {
		if !heavySent[call] {
			t.Errorf("no route is %s", call)
		}
	}
	h.task("DELETE", "/indexes/other", "")
	h.finish(before)
}

func TestBadQueriesAndPathsToEveryRoute(t *testing.T) {
	h := startHostile(t)
	before := heap()
	good, bad := hostileRoutes()
	for _, query := range hostileQueries {
		for _, r := range good {
			h.check("query "+short(query), r[0], r[1]+query, `{}`)
		}
	}
	for _, r := range bad {
		h.check("path", r[0], r[1], `{}`)
		h.check("path", r[0], r[1], `[]`)
	}
	for _, path := range []string{"//", "/%2e%2e/", "/indexes//documents", "/indexes/%", "/indexes/%zz/search", "/" + strings.Repeat("a/", 30_000), "/" + strings.Repeat("%00", 10_000)} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "HEAD", "TRACE", "BREW"} {
			h.check("path", method, path, `{}`)
		}
	}
	h.finish(before)
}

// wrongCalls are bodies that are good, by call, with room for one more member.
var wrongCalls = map[string][]string{
	"POST /indexes/films/search": {`{"q":"alien",%s}`, `{"hybrid":{"embedder":"e"},"vector":[1,2],%s}`}, "POST /multi-search": {`{"queries":[{"indexUid":"films",%s}]}`, `{"federation":{%s},"queries":[{"indexUid":"films"}]}`, `{"federation":{},"queries":[{"indexUid":"films","federationOptions":{%s}}]}`},
	"POST /indexes/films/facet-search": {`{"facetName":"genre",%s}`}, "POST /indexes/films/similar": {`{"id":1,"embedder":"e",%s}`}, "POST /indexes/films/documents/fetch": {`{%s}`},
	"POST /indexes/films/documents/delete": {`{"filter":"year > 9999",%s}`}, "POST /indexes": {`{"uid":"x",%s}`}, "PATCH /indexes/films": {`{%s}`},
	"PATCH /indexes/films/settings": {`{%s}`, `{"typoTolerance":{%s}}`, `{"faceting":{%s}}`, `{"embedders":{"x":{"source":"userProvided","dimensions":1,%s}}}`, `{"filterableAttributes":[{"attributePatterns":["a"],%s}]}`},
	"POST /swap-indexes":            {`[{"indexes":["films","x"],%s}]`}, "PATCH /experimental-features": {`{%s}`}, "POST /keys": {`{"actions":["*"],"indexes":["*"],"expiresAt":null,%s}`},
	"POST /webhooks": {`{"url":"http://127.0.0.1:1",%s}`}, "POST /indexes/films/documents": {`[{"id":1,%s}]`}, "PUT /indexes/films/documents": {`[{"id":1,"_geo":{%s},%[1]s}]`, `[{"id":1,"_vectors":{%s}}]`, `[{"id":1,"_vectors":{"e":{%s}}}]`},
	"POST /indexes/films/fields": {`{%s}`}, "POST /indexes/films/documents/edit": {`{"function":"",%s}`}, "POST /export": {`{"url":"http://127.0.0.1:1",%s}`},
}

// Every member with every wrong value, in bodies that are good otherwise.
func TestWrongValuesOfEveryMember(t *testing.T) {
	h := startHostile(t)
	before := heap()
	sent := 0
	for call, templates := range wrongCalls {
		method, path, _ := strings.Cut(call, " ")
		for _, template := range templates {
			for _, name := range members {
				for i, v := range wrongValues {
					if sent++; !longRun && (sent+i)%7 != 0 {
						continue // without MIROIR_LONG a part of them
					}
					h.check("wrong "+name, method, path, fmt.Sprintf(template, `"`+name+`":`+v))
				}
			}
		}
		h.idle()
	}
	h.finish(before)
}

// What only a raw socket can send.
func TestBadBytesOverTheSocket(t *testing.T) {
	c := start(t, embedded.Options{Addr: "127.0.0.1:0", MaxPayload: 1 << 20})
	host := strings.TrimPrefix(c.node.URL(), "http://")
	for name, raw := range map[string]string{
		"a path that is not UTF-8":  "GET /indexes/\xff\xfe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"a path with a bad escape":  "GET /indexes/%zz/search HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"a path without its slash":  "GET indexes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"no HTTP at all":            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
		"a long path":               "GET /" + strings.Repeat("a", 200_000) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"a huge header":             "GET /health HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 2<<20) + "\r\nConnection: close\r\n\r\n",
		"a length that is a lie":    "POST /indexes/a/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}garbage",
		"a negative length":         "POST /indexes/a/search HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\nConnection: close\r\n\r\n{}",
		"broken chunks":             "POST /indexes/a/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"an announced endless body": "POST /indexes/a/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9223372036854775807\r\nConnection: close\r\n\r\n" + strings.Repeat(" ", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			go func() { _, _ = conn.Write([]byte(raw)) }()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				if strings.Contains(err.Error(), "timeout") {
					t.Fatal("no answer in time")
				}
				return // cut, which is an answer to such bytes
			}
			defer res.Body.Close()
			if res.StatusCode >= 500 {
				answer, _ := io.ReadAll(res.Body)
				t.Fatalf("%d %s", res.StatusCode, answer)
			}
		})
	}
	c.want("GET", "/health", "", 200, `{"status":"available"}`)
}

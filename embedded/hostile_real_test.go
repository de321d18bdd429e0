package embedded_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// notAsReal are refusals that are known to differ: of a call, for bodies with a text in them.
var notAsReal = []struct{ call, part, why string }{
	{"POST /indexes/films/documents", "1e400", "a real server takes the payload and fails the task; documents are read by the proxy's reader, which looks at numbers first"},
	{"PUT /indexes/films/documents", "1e400", "as above"},
	{"POST /indexes/films/documents", `\ud800`, "as above"},
	{"PUT /indexes/films/documents", `\ud800`, "as above"},
	{"PATCH /indexes/films/settings", `"foreignKeys"`, "the missing feature is told before the wrong type"},
	{"PATCH /indexes/films/settings", `"url"`, "the wrong source is told before the wrong address"},
	{"POST /export", `"payloadSize"`, "sizes that are none are told in other words"},
	{"POST /indexes/films/similar", "9223372036854775807", "a real server panics: capacity overflow"},
}

func knownToDiffer(call, body string) bool {
	return slices.ContainsFunc(notAsReal, func(x struct{ call, part, why string }) bool { return x.call == call && strings.Contains(body, x.part) })
}

// Bad members are refused with the status, code and text of a real server. What a task says later is compared elsewhere.
func TestBadMembersAreRefusedAsByARealServer(t *testing.T) {
	bin := fleet.RealBinary(t)
	real := fleet.StartReal(t, bin)
	h := startHostile(t)
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	c := &crashWriter{t: t, url: real.URL, client: &http.Client{Transport: tr}, killed: &atomic.Bool{}}
	c.do("PATCH", "/indexes/films/settings", `{"filterableAttributes":["year","genre"],"sortableAttributes":["year"],"embedders":{"e":{"source":"userProvided","dimensions":2}}}`)
	c.do("POST", "/indexes/films/documents", strings.ReplaceAll(films, `"year"`, `"_vectors":{"e":[1,2]},"year"`))
	fleet.Eventually(t, 2*time.Minute, "documents", func() error {
		if _, body := c.do("GET", "/tasks?statuses=enqueued,processing", ""); !strings.Contains(body, `"total":0`) {
			return fmt.Errorf("busy: %s", body)
		}
		return nil
	})
	varies := regexp.MustCompile(`:memory:|[0-9a-f]{8}-[0-9a-f-]{27}`)
	sent, differ := 0, map[string][]string{}
	calls := slices.Sorted(maps.Keys(wrongCalls))
	slices.Reverse(calls) // what changes the index comes last
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		for _, template := range wrongCalls[call] {
			for n, name := range members {
				for v, value := range wrongValues {
					if (n+v)%11 != 0 && !longRun {
						continue
					}
					body := fmt.Sprintf(template, `"`+name+`":`+value)
					wantStatus, want := c.do(method, path, body)
					gotStatus, got := h.send(method, path, body)
					sent++
					if wantStatus < 400 && gotStatus < 400 || knownToDiffer(call, body) {
						continue
					}
					var a, b struct{ Code, Message string }
					_ = json.Unmarshal([]byte(want), &a)
					_ = json.Unmarshal([]byte(got), &b)
					if wantStatus != gotStatus || a.Code != b.Code || varies.ReplaceAllString(a.Message, "") != varies.ReplaceAllString(b.Message, "") {
						differ[call] = append(differ[call], fmt.Sprintf("%s\n   real     %d %s %s\n   embedded %d %s %s", short(body), wantStatus, a.Code, cut(a.Message), gotStatus, b.Code, cut(b.Message)))
					}
				}
			}
		}
	}
	for call, list := range differ {
		t.Errorf("%s: %d differ\n%s", call, len(list), strings.Join(list[:min(len(list), 8)], "\n"))
	}
	t.Logf("%d requests compared", sent)
}

func cut(s string) string { return s[:min(len(s), 160)] }

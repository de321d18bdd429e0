package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// What an embedder makes vectors of has nothing of ours in it: the texts are
// those that one node sends.
func TestEmbeddersSeeTheClientsDocuments(t *testing.T) {
	bin := fleet.RealBinary(t)
	t.Setenv("MEILI_EXPERIMENTAL_ALLOWED_IP_NETWORKS", "any") // the embedder is on loopback
	for name, template := range map[string]string{"default": ``, "own": `,"documentTemplate":"{% for f in fields %}{{ f.name }}={{ f.value }};{% endfor %}"`} {
		t.Run(name, func(t *testing.T) {
			texts := func(start func() fleet.API) []string {
				var mu sync.Mutex
				var seen []string
				embedder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					var body struct{ Input string }
					_ = json.NewDecoder(r.Body).Decode(&body) // what is no JSON has no input
					mu.Lock()
					seen = append(seen, body.Input)
					mu.Unlock()
					w.Header().Set("Content-Type", "application/json")
					_, _ = fmt.Fprint(w, `{"embedding":[0.1,0.2,0.3]}`)
				}))
				defer embedder.Close()
				s := start()
				s.Write(t, "POST", "/indexes", `{"uid":"wares","primaryKey":"id"}`)
				s.Write(t, "PATCH", "/indexes/wares/settings", fmt.Sprintf(`{"embedders":{"r":{"source":"rest","url":%q,"dimensions":3,"request":{"input":"{{text}}"},"response":{"embedding":"{{embedding}}"}%s}}}`, embedder.URL, template))
				s.Write(t, "POST", "/indexes/wares/documents", `[{"id":1,"title":"a tree"},{"id":2,"title":"a river"},{"id":3,"title":"a stone","n":4},{"id":4}]`)
				var settings struct {
					R struct{ DocumentTemplate string }
				}
				if s.Get(t, "/indexes/wares/settings/embedders", &settings); strings.Contains(settings.R.DocumentTemplate, "_miroir") {
					t.Errorf("the template shows something of ours: %s", settings.R.DocumentTemplate)
				}
				mu.Lock()
				defer mu.Unlock()
				slices.Sort(seen)
				return slices.Compact(seen)
			}
			one := texts(func() fleet.API { return fleet.StartNode(t, "single", bin).API })
			many := texts(func() fleet.API { return fleet.Start(t, fleet.Options{Real: bin, Groups: 1, PerGroup: 2}).API })
			if len(one) < 4 || !slices.Equal(one, many) {
				t.Errorf("one node: %q\nMiroir:   %q", one, many)
			}
		})
	}
}

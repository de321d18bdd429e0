package writes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// edits are bodies of POST /indexes/{x}/documents/edit.
var edits = []string{
	`{"function":"doc.title = doc.title.to_upper()"}`, `{"function":"doc.title = doc.title.to_upper();"}`, `{"function":"doc.n += 1; doc.added = #{a: [1, 2.5, ()], b: true};"}`,
	`{"function":"if doc.id > 3 { doc = () }"}`, `{"function":"doc = ()"}`, `{"function":"doc = #{id: doc.id}"}`, `{"function":"doc.remove(\"title\"); doc.keys = doc.keys().len()"}`,
	`{"function":"doc.keys = doc.keys()"}`, `{"function":"for k in doc.keys() { if k != \"id\" { doc[k] = k } }"}`, `{"function":"doc.clear(); "}`, `{"function":""}`, `{"function":"// nothing"}`, `{"function":"doc.title = ` + "`${doc.id} and ${if doc.n > 1 { \\\"{\\\" } else { '}' }}`" + `"}`,
	`{"function":"if doc.n == 2 { return }\ndoc.title = \"changed\""}`, `{"function":"if doc.n == 2 { return; }\ndoc = ();"}`, `{"function":"fn twice(x) { return x * 2 }\ndoc.n = twice(doc.n);\nif doc.n > 4 { return doc.n; }\ndoc.small = true"}`,
	`{"function":"fn f(x) { x + 1 } doc.n = f(doc.n)"}`, `{"function":"let f = |x| { return x + 1 }; doc.n = f.call(doc.n);"}`, `{"function":"doc.n = context.by * doc.n; return","context":{"by":3}}`, `{"function":"doc.n = context.by","context":{"by":{"deep":[1,"x"]}}}`,
	`{"function":"doc.title = \"only one\"","filter":"id = 2"}`, `{"function":"doc.title = \"some\"","filter":["n > 1",["id = 1","id = 3"]]}`, `{"function":"doc.title = \"none\"","filter":"id = 77"}`, `{"function":"doc.x = 1","filter":"title = \"one\""}`,
	`{"function":"doc.id = 99"}`, `{"function":"doc.id = doc.id.to_string()"}`, `{"function":"doc.remove(\"id\")"}`, `{"function":"doc.id = 1.5"}`, `{"function":"doc.id = ()"}`, `{"function":"doc = 1"}`, `{"function":"doc = [doc]"}`, `{"function":"doc = \"x\"; return"}`,
	`{"function":"if doc.id == 3 { throw \"no third\" } doc.title = \"changed\""}`, `{"function":"\n\nif doc.id == 3 {\n  throw \"no third\"\n}\ndoc.title = \"changed\"; return;"}`, `{"function":"if doc.id == 3 { doc.id = 4 } doc.title = \"changed\""}`,
	`{"function":"fn fail(x) {\n  if x == 3 { throw x }\n}\nfail(doc.id);\nif doc.n == 1 { return; }\ndoc.title = \"changed\";"}`, `{"function":"doc.title.nope()"}`, `{"function":"doc.n = nope"}`, `{"function":"doc.n = context.by"}`, `{"function":"loop { }","filter":"id = 1"}`,
	`{"function":"doc.n ="}`, `{"function":"if {"}`, `{"function":"let x = \"open"}`, `{"function":"doc.n = 1 /* open"}`, `{"function":"}"}`, `{"function":"fn f( { }"}`, `{"function":1}`, `{}`, `{"filter":"id = 1"}`, `{"function":"doc.n = 1","context":1}`, `{"function":"doc.n = 1","context":[1]}`,
	`{"function":"doc.n = 1","context":null}`, `{"function":"doc.n = 1","filter":""}`, `{"function":"doc.n = 1","filter":"id ="}`, `{"function":"doc.n = 1","filter":1}`, `{"function":"doc.n = 1","nope":1}`, `{"function":"try { doc.n = doc.title.nope(); } catch (e) { doc.e = e.message }"}`,
	`{"function":"let doc = #{id: doc.id, new: 1}"}`, `{"function":"let a = doc; a.title = \"copy\"; doc = a"}`, `{"function":"doc._geo = #{lat: 1, lng: doc.n}"}`, `{"function":"while doc.n < 10 { doc.n += 1; if doc.n == 7 { return } }"}`, `{"function":"doc.when = switch doc.n { 1 => \"a\", 2 => return, _ => \"c\" }"}`,
	`{"function":"private fn p(a) { if a > 2 { return \"big\"; } \"small\" }\ndoc.size = p(doc.n); if doc.n == 2 { return } doc.last = ` + "`line\\nbreak`" + `; // end"}`,
}

// Editing by a function is done by Miroir over several real servers as by one: the
// same answers, ends of tasks and documents, and nothing when it fails for one.
func TestEditsAreDoneAsByOneServer(t *testing.T) {
	bin := fleet.RealBinary(t) // embedded nodes run no functions
	one := single(t, bin)
	subjects := []subject{
		{"two servers", startMiroir(t, shape{groups: 1, perGroup: 2, copies: 1, real: bin}).API},
		{"one server", startMiroir(t, shape{groups: 1, perGroup: 1, copies: 1, real: bin}).API},
	}
	off := matrixCase{step: step{method: "POST", path: docs + "/edit", body: edits[0]}}
	all := []matrixCase{off}
	for _, body := range edits {
		all = append(all, matrixCase{
			before: []step{
				{method: "PATCH", path: "/indexes/{x}/settings", body: `{"filterableAttributes":["id","n","_geo"]}`},
				sent("POST", "?primaryKey=id", typeJSON, `[{"id":1,"title":"one","n":1},{"id":2,"title":"two","n":2},{"id":3,"title":"three","n":3},{"id":4,"title":"four","n":4},{"id":5,"title":"five","n":5,"o":{"p":[1.50,null]}}]`),
			},
			step: step{method: "POST", path: docs + "/edit?customMetadata=m", body: body},
		})
	}
	for _, key := range []string{`"meta":{"id":ID,"v":1}`, `"meta.id":ID`} { // a nested key
		for _, function := range []string{`doc.meta.v = 2`, `doc.meta = #{id: 7}`, `doc.x = 1`, `doc[\"meta.id\"] = 8`} {
			all = append(all, matrixCase{
				before: []step{sent("POST", "?primaryKey=meta.id", typeJSON, strings.ReplaceAll("[{"+key+"},{"+strings.Replace(key, "ID", "2", 1)+"}]", "ID", "1"))},
				step:   step{method: "POST", path: docs + "/edit", body: `{"function":"` + function + `"}`},
			})
		}
	}
	all = append(all, matrixCase{step: step{method: "POST", path: docs + "/edit", body: `{"function":"doc.n = 1"}`}},
		matrixCase{before: states["empty index"], step: step{method: "POST", path: docs + "/edit", body: `{"function":"doc.n = 1"}`}})
	compared := 0
	for i, c := range all {
		if i == 1 {
			for _, s := range append(subjects, subject{"", one}) {
				if a := s.Do(t, "PATCH", "/experimental-features", `{"editDocumentsByFunction":true}`); a.Status != 200 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
		}
		index := fmt.Sprintf("x%d", i)
		want, err := c.run(one, index)
		for _, s := range subjects {
			var got result
			if err == nil {
				got, err = c.run(s.API, index)
			}
			if err != nil {
				t.Fatal(err)
			}
			if found := got.against(want); len(found) > 0 {
				t.Errorf("%s: %s\n\t%s", s.name, c, strings.Join(found, "\n\t"))
			}
			compared++
		}
	}
	t.Logf("%d edits compared", compared)
}

package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
)

// Kinds of calls.
const (
	kindAdd          = "add"
	kindUpdate       = "update"
	kindDelete       = "delete"
	kindDeleteBatch  = "delete batch"
	kindDeleteFilter = "delete by filter"
	kindClear        = "clear"
	kindSettings     = "settings"
	kindCreate       = "create index"
	kindDrop         = "delete index"
	kindSwap         = "swap"
	kindEdit         = "edit by function"
)

// taskTypes are the types of the tasks that calls become.
var taskTypes = map[string]string{
	kindAdd: "documentAdditionOrUpdate", kindUpdate: "documentAdditionOrUpdate", kindDelete: "documentDeletion",
	kindDeleteBatch: "documentDeletion", kindDeleteFilter: "documentDeletion", kindClear: "documentDeletion",
	kindSettings: "settingsUpdate", kindCreate: "indexCreation", kindDrop: "indexDeletion", kindSwap: "indexSwap", kindEdit: "documentEdition",
}

// Call is one write as a client sends it, and what it means to the model.
type Call struct {
	Kind        string `json:"kind"`
	Token       string `json:"token"` // of this call alone; it travels in customMetadata, or in the settings
	Index       string `json:"index,omitempty"`
	Method      string `json:"method"`
	Path        string `json:"path"`
	Body        string `json:"body,omitempty"`
	ContentType string `json:"contentType,omitempty"`

	Docs   []Document `json:"-"`
	IDs    []string   `json:"-"`
	Filter filter     `json:"-"`
	Skip   bool       `json:"-"` // documents that are new are left out
}

// tokenless tells calls that cannot carry their token: equal ones are exchangeable.
func (c *Call) tokenless() bool {
	return c.Kind == kindCreate || c.Kind == kindDrop || c.Kind == kindSwap
}

// filter is field >= least, or field = text.
type filter struct {
	field string
	least float64
	text  string
}

func (f filter) String() string {
	if f.text != "" {
		return fmt.Sprintf("%s = %q", f.field, f.text)
	}
	return fmt.Sprintf("%s >= %v", f.field, f.least)
}

func (f filter) matches(d Document) bool {
	if f.text != "" {
		var s string
		return json.Unmarshal(d[f.field], &s) == nil && strings.EqualFold(s, f.text)
	}
	var n float64
	return json.Unmarshal(d[f.field], &n) == nil && d[f.field] != nil && n >= f.least
}

// caller makes the calls of one writer.
type caller struct {
	plan  *Plan
	name  string
	r     *rand.Rand
	count int
}

func newCaller(p *Plan, writer int) *caller {
	return &caller{plan: p, name: "w" + strconv.Itoa(writer), r: rand.New(rand.NewPCG(p.Seed, 100+uint64(writer)))} //nolint:gosec // it must be repeatable
}

// Indexes that writers use.
var indexes = []string{"films", "films", "films", "books"}

// numbers are texts of numbers that must come back as one node gives them.
var numbers = []string{"1.0", "1e3", "0.10", "-0.0", "12345678901234567890", "3", "2.5E-3"}

// next makes a call.
func (c *caller) next() *Call {
	c.count++
	call := &Call{Token: fmt.Sprintf("%s-%d", c.name, c.count), Index: indexes[c.r.IntN(len(indexes))]}
	switch n := c.r.IntN(100); {
	case n < 8 && c.plan.Edits:
		c.edit(call)
	case n < 34:
		c.documents(call, kindAdd)
	case n < 62:
		c.documents(call, kindUpdate)
	case n < 71:
		call.Kind, call.IDs = kindDelete, []string{c.id()}
		call.Method, call.Path = "DELETE", "/documents/"+call.IDs[0]
	case n < 78:
		call.Kind, call.IDs = kindDeleteBatch, c.ids(1+c.r.IntN(4))
		call.Method, call.Path, call.Body = "POST", "/documents/delete-batch", "["+strings.Join(call.IDs, ",")+"]"
	case n < 84:
		call.Kind, call.Filter = kindDeleteFilter, filter{field: "n", least: float64(5 + c.r.IntN(5))}
		if c.r.IntN(2) == 0 {
			call.Filter = filter{field: "g", text: c.genre()}
		}
		body, _ := json.Marshal(map[string]string{"filter": call.Filter.String()}) // strings have JSON
		call.Method, call.Path, call.Body = "POST", "/documents/delete", string(body)
	case n < 86:
		call.Kind, call.Method, call.Path = kindClear, "DELETE", "/documents"
	case n < 95:
		c.settings(call)
	case n < 97:
		call.Kind, call.Method, call.Path = kindDrop, "DELETE", ""
	case n < 98:
		call.Kind, call.Method, call.Path, call.Body = kindCreate, "POST", "/indexes", fmt.Sprintf(`{"uid":%q,"primaryKey":"id"}`, call.Index)
		return call
	default:
		call.Kind, call.Method, call.Path, call.Body = kindSwap, "POST", "/swap-indexes", `[{"indexes":["films","books"]}]`
		call.Index = ""
		return call
	}
	call.Path = "/indexes/" + call.Index + call.Path
	if strings.Contains(call.Path, "/documents") {
		join := "?"
		if strings.Contains(call.Path, "?") {
			join = "&"
		}
		call.Path += join + "customMetadata=" + url.QueryEscape(call.Token)
	}
	return call
}

// counting is a function that tells how often it was run.
const counting = `if "c" in doc { doc.c += 1 } else { doc.c = 1 }`

// edit makes an edit of the documents that a filter chooses.
func (c *caller) edit(call *Call) {
	call.Kind, call.Method, call.Path = kindEdit, "POST", "/documents/edit"
	call.Filter = filter{field: "g", text: c.genre()}
	body, _ := json.Marshal(map[string]string{"filter": call.Filter.String(), "function": counting}) // strings have JSON
	call.Body = string(body)
}

// settings makes a settings update: some make filters impossible.
func (c *caller) settings(call *Call) {
	filterable := []string{`["n","g"]`, `["n","g"]`, `["g"]`, `["n","g","v"]`}[c.r.IntN(4)]
	call.Kind, call.Method, call.Path = kindSettings, "PATCH", "/settings"
	call.Body = fmt.Sprintf(`{"filterableAttributes":%s,"stopWords":[%q]}`, filterable, call.Token)
}

// first are the calls that begin the history of an index.
func (c *caller) first(index string) []*Call {
	c.count++
	call := &Call{Kind: kindSettings, Token: fmt.Sprintf("%s-%d", c.name, c.count), Index: index, Method: "PATCH", Path: "/indexes/" + index + "/settings"}
	call.Body = fmt.Sprintf(`{"filterableAttributes":["n","g"],"stopWords":[%q]}`, call.Token)
	if c.plan.Vectors {
		call.Body = fmt.Sprintf(`{"filterableAttributes":["n","g"],"stopWords":[%q],"embedders":{"e":{"source":"userProvided","dimensions":2}}}`, call.Token)
	}
	return []*Call{call}
}

func (c *caller) id() string { return strconv.Itoa(c.r.IntN(c.plan.Documents)) }

func (c *caller) ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = c.id()
	}
	return out
}

func (c *caller) genre() string { return string(rune('a' + c.r.IntN(4))) }

// documents makes a call that adds, replaces or updates documents.
func (c *caller) documents(call *Call, kind string) {
	call.Kind, call.Method, call.Path, call.ContentType = kind, "POST", "/documents", "application/json"
	if kind == kindUpdate {
		call.Method = "PUT"
	}
	format := c.r.IntN(8)
	if c.plan.Vectors {
		format = max(format, 1) // CSV has no place for vectors
	}
	for range 1 + c.r.IntN(5) {
		call.Docs = append(call.Docs, c.document(call.Token, kind == kindUpdate, format == 0))
	}
	if c.r.IntN(25) == 0 { // one bad document changes nothing anywhere
		call.Docs[len(call.Docs)-1]["id"] = json.RawMessage(`"not an id"`)
	}
	var query []string
	if c.r.IntN(12) == 0 {
		call.Skip = true
		query = append(query, "skipCreation=true")
	}
	if c.r.IntN(6) == 0 {
		query = append(query, "primaryKey=id")
	}
	if len(query) > 0 {
		call.Path += "?" + strings.Join(query, "&")
	}
	switch format {
	case 0:
		call.ContentType, call.Body = "text/csv", csvOf(call.Docs)
	case 1, 2:
		call.ContentType, call.Body = "application/x-ndjson", listOf(call.Docs, "", "\n", "\n")
	default:
		call.Body = listOf(call.Docs, "[", ",", "]")
	}
}

// document makes a document; every member tells which call wrote it.
func (c *caller) document(token string, partial, flat bool) Document {
	d := Document{"id": json.RawMessage(c.id())}
	text := quoted(token)
	if flat { // CSV: all have the same members
		d["v"], d["n"], d["g"] = text, json.RawMessage(strconv.Itoa(c.r.IntN(10))), quoted(c.genre())
		return d
	}
	if c.r.IntN(6) == 0 {
		d["id"] = quoted(string(d["id"])) // 1 and "1" are one document
	}
	if !partial || c.r.IntN(2) == 0 {
		d["v"], d["n"], d["g"] = text, json.RawMessage(strconv.Itoa(c.r.IntN(10))), quoted(c.genre())
	}
	for _, f := range []string{"f1", "f2", "f3", "f4"} {
		if c.r.IntN(3) == 0 {
			d[f] = text
		}
	}
	if c.r.IntN(4) == 0 {
		d["odd"] = json.RawMessage(numbers[c.r.IntN(len(numbers))])
	}
	if c.r.IntN(4) == 0 {
		d["o"] = json.RawMessage(fmt.Sprintf(`{"by":%s,"list":[1,{"x":null}]}`, text))
	}
	// A document without a vector fails its neighbours in a node's batch, so that even
	// one node does not always end the same calls alike.
	switch n := c.r.IntN(20); {
	case !c.plan.Vectors:
	case n < 10:
		d["_vectors"] = json.RawMessage(fmt.Sprintf(`{"e":[0.%d,0.%d]}`, 1+c.r.IntN(9), 1+c.r.IntN(9)))
	default:
		d["_vectors"] = json.RawMessage(`{"e":null}`)
	}
	return d
}

func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // strings have JSON
	return b
}

func listOf(docs []Document, begin, between, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i, d := range docs {
		if i > 0 {
			b.WriteString(between)
		}
		b.Write(d.encode())
	}
	b.WriteString(end)
	return b.String()
}

func csvOf(docs []Document) string {
	b := strings.Builder{}
	b.WriteString("id,v,n:number,g\n")
	for _, d := range docs {
		var id, v, g string
		if json.Unmarshal(d["id"], &id) != nil {
			id = string(d["id"])
			d["id"] = quoted(id) // a column without a type is text
		}
		_ = json.Unmarshal(d["v"], &v) // our own text
		_ = json.Unmarshal(d["g"], &g)
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", id, v, d["n"], g)
	}
	return b.String()
}

package writes

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"strings"

	"github.com/andybalholm/brotli"
)

// step is one request. {x} in its path is the index of the case.
type step struct {
	method, path, body string
	headers            []string
}

// matrixCase is one write, the state it meets, and its name.
type matrixCase struct {
	name   string
	before []step
	step
}

func (c matrixCase) String() string {
	return fmt.Sprintf("%s: %s %s %v %.300q", c.name, c.method, c.path, c.headers, c.body)
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeCSV    = "text/csv"
	docs       = "/indexes/{x}/documents"
)

func sent(method, query, contentType, body string, headers ...string) step {
	return step{method: method, path: docs + query, body: body, headers: append([]string{"Content-Type", contentType}, headers...)}
}

// states are what a write may meet, by name.
var states = map[string][]step{
	"no index":      nil,
	"empty index":   {{method: "POST", path: "/indexes", body: `{"uid":"{x}"}`}},
	"declared key":  {{method: "POST", path: "/indexes", body: `{"uid":"{x}","primaryKey":"sku"}`}},
	"nested key":    {{method: "POST", path: "/indexes", body: `{"uid":"{x}","primaryKey":"meta.id"}`}},
	"settings only": {{method: "PATCH", path: "/indexes/{x}/settings", body: `{"filterableAttributes":["title"]}`}},
	"documents":     {sent("POST", "", typeJSON, `[{"id":1,"title":"one","n":{"a":1,"b":2}},{"id":"two","title":"two"}]`)},
	"emptied": {sent("POST", "", typeJSON, `[{"id":1,"title":"one"}]`),
		{method: "DELETE", path: docs}},
	"geo": {{method: "PATCH", path: "/indexes/{x}/settings", body: `{"filterableAttributes":["_geo"],"sortableAttributes":["_geo"]}`},
		sent("POST", "", typeJSON, `[{"id":1,"_geo":{"lat":1,"lng":2}}]`)},
	"vectors": {{method: "PATCH", path: "/indexes/{x}/settings", body: `{"embedders":{"e":{"source":"userProvided","dimensions":2}}}`},
		sent("POST", "", typeJSON, `[{"id":1,"_vectors":{"e":[1,2]}}]`)},
	"two embedders": {{method: "PATCH", path: "/indexes/{x}/settings", body: `{"embedders":{"a":{"source":"userProvided","dimensions":2},"b":{"source":"userProvided","dimensions":1}}}`},
		sent("POST", "", typeJSON, `[{"id":1,"_vectors":{"a":[1,2],"b":[[1],[2]]}}]`)},
}

// payloads are JSON arrays of documents, good and bad.
var payloads = []string{
	`[]`, `[{}]`, `[{"id":1}]`, `[{"id":"a-b_C"}]`, `[{"id":1,"title":"new"},{"id":2}]`, `[{"id":2},{"id":2,"title":"again"}]`,
	`[{"id":1},{"id":"1","title":"the same"}]`, `[{"id":0}]`, `[{"id":-5}]`, `[{"id":18446744073709551615}]`, `[{"id":18446744073709551616}]`,
	`[{"id":-9223372036854775808}]`, `[{"id":-9223372036854775809}]`, `[{"id":1.5}]`, `[{"id":1.0}]`, `[{"id":1e2}]`, `[{"id":-0}]`,
	`[{"id":null}]`, `[{"id":true}]`, `[{"id":[1]}]`, `[{"id":{"a":1}}]`, `[{"id":""}]`, `[{"id":" 1"}]`, `[{"id":"é"}]`, `[{"id":"a b"}]`, `[{"id":"a/b"}]`,
	`[{"id":"` + strings.Repeat("x", 511) + `"}]`, `[{"id":"` + strings.Repeat("x", 512) + `"}]`,
	`[{"title":"none"}]`, `[{"id":1},{"title":"none"}]`, `[{"id":1},{"id":"b c"}]`, `[{"id":3},{"id":4.5},{"id":null}]`, `[{"title":"first"},{"id":1}]`,
	`[{"ID":1}]`, `[{"Id":1,"title":"a"}]`, `[{"movieId":1}]`, `[{"id":1,"movie_id":2}]`, `[{"uid":1,"pid":2,"aid":3}]`, `[{"idx":1}]`, `[{"id.x":1}]`, `[{"grid":7}]`,
	`[{"sku":"s1","id":1}]`, `[{"sku":"s1"},{"id":1}]`, `[{"meta":{"id":"m1"}}]`, `[{"meta.id":"m1"}]`, `[{"meta":{"id":"m1"},"meta.id":"m2"}]`, `[{"meta":{"id":{"x":1}}}]`, `[{"meta":1}]`,
	`[{"id":1,"title":null,"n":[1,[2,{"a":null}]],"o":{"p":{"q":"r"}},"big":12345678901234567890,"f":1.50,"e":1E3}]`,
	`[{"id":1,"id":2}]`, `[{"id":1,"t":"a","t":"b"}]`, `[{"id":1,"n":{"c":3}}]`, `[{"id":1,"n.a":3}]`, `[{"id":"\u0061b","t\u0069tle":"x\n\u00e9"}]`, `[{"id":5,"":"empty name"}]`,
	`[{"id":6,"_geo":{"lat":1,"lng":2}}]`, `[{"id":6,"_geo":"x"},{"id":7}]`, `[{"id":6,"_vectors":{"e":[1]}}]`, `[{"id":6,"_vectors":1}]`, `[{"id":6,"_geoDistance":1}]`, `[{"id":6,"_formatted":1}]`, `[{"id":6,"_miroir":1}]`,
}

// broken are JSON bodies that are no documents, or no JSON.
var broken = []string{
	`{"id":1,"title":"alone"}`, `{}`, ` [ {"id":1} , {"id":2} ] `, `[{"id":1}]x`, `[{"id":1}] {"id":2}`, `{"id":1}x`, `1`, `"x"`, `null`, `true`, `[1]`, `[{"id":1},2]`, `[[]]`, `[null]`, `["x",{"id":1}]`,
	`[`, `[{`, `[{"id"`, `[{"id":`, `[{"id":1`, `[{"id":1}`, `[{"id":1},`, `[{"id":1},]`, `[{"id":1,}]`, `[{"id" 1}]`, `[{id:1}]`, `[{"id":01}]`, `[{"id":1.}]`, `[{"id":.5}]`, `[{"id":+1}]`, `[{"id":1e}]`, `[{"id":nul}]`, `[{"id":NaN}]`,
	`[{"id":1,"t":"` + "\x01" + `"}]`, `[{"id":1,"t":"` + "\xff" + `"}]`, `[{"id":1,"t":"\q"}]`, `[{"id":1,"t":"open}]`, `[{"id":1} {"id":2}]`, `,`, `]`, "\n", ` `, `[{"id":1}` + "\n" + `,{"id":2` + "\n" + `]`, "\xef\xbb\xbf" + `[{"id":1}]`,
	`{"id":1}` + "\n" + `{"id":2}`, `[{"id":1}]` + "\n" + `[{"id":2}]`,
}

// csvs are CSV bodies.
var csvs = []string{
	"id,title\n1,a\n2,b\n", "id\n", "id", "\n", "id,title\r\n1,a\r\n", "id,title\n1,\"a, b\"\n2,\"say \"\"x\"\"\"\n", "id,title\n1,\"two\nlines\"\n",
	"id,title\n1\n", "id,title\n1,a,b\n", "id,title\n1,a\n\n2,b\n", "id,title\n1,\"open\n", "id:number,title:string\n1,a\n", "id:number,ok:boolean,n:number\n1,true,1.5\n2,false,\n3,,2e3\n",
	"id:number,n:number\n1,x\n", "id:number,ok:boolean\n1,yes\n", "id:number\n1.5\n", "id:number\n\n", "id,a:b:number\n1,2\n", "id,a:unknown\n1,2\n", "id:string\n7\n", "id,id\n1,2\n", "title,n\na,1\n", "id,pid\n1,2\n",
	"id,title\n a b ,x\n", "id,title\n1, padded \n", "id,title\n,x\n", "id,_geo\n1,x\n", "id,title\n1,\xff\n", "\xef\xbb\xbfid,title\n1,a\n", "id;title\n1;a\n", "id\ttitle\n1\ta\n", "id,n:number\n1,007\n2,+5\n3,-0\n4,1e400\n",
	"id,n:number\n1,9223372036854775807\n2,9223372036854775808\n3,0x10\n4,1_0\n",
}

// geos are values of _geo, vectors those of _vectors.
var geos = []string{
	`{"lat":1,"lng":2}`, `{"lat":"1.5","lng":"-2"}`, `null`, `{}`, `[]`, `1`, `"x"`, `true`, `{"lat":1}`, `{"lng":1}`, `{"lat":1,"lng":2,"alt":3}`, `{"lat":"x","lng":2}`, `{"lat":1,"lng":"x"}`,
	`{"lat":"x","lng":"y"}`, `{"lat":null,"lng":null}`, `{"lat":true,"lng":[]}`, `{"lat":"","lng":0}`, `{"lat":" 1","lng":0}`, `{"lat":"inf","lng":0}`, `{"lat":"NaN","lng":0}`, `{"lat":"1e400","lng":0}`, `{"lat":"0x10","lng":0}`, `{"lat":"1_0","lng":0}`,
	`{"lat":"+1","lng":".5"}`, `{"lat":200,"lng":400}`, `{"lat":1e300,"lng":0}`, `{"lat":1,"lat":"x","lng":2}`, `{"lat":{"a":1},"lng":2}`, `[1,2]`,
}

var vectors = []string{
	`{"e":[1,2]}`, `{"e":[[1,2],[3,4]]}`, `{"e":[]}`, `{"e":null}`, `{}`, `null`, `[]`, `1`, `"x"`, `true`, `1.5`, `[[1,2]]`, `{"e":[1]}`, `{"e":[1,2,3]}`, `{"e":[[1,2],[3]]}`, `{"e":[[1,2],3]}`, `{"e":[1,[2]]}`, `{"e":["x",2]}`,
	`{"e":[null,2]}`, `{"e":1}`, `{"e":"x"}`, `{"e":true}`, `{"e":1.5}`, `{"e":{}}`, `{"e":{"embeddings":[1,2]}}`, `{"e":{"embeddings":[1,2],"regenerate":false}}`, `{"e":{"embeddings":[[1,2],[3,4]],"regenerate":true}}`,
	`{"e":{"regenerate":true}}`, `{"e":{"regenerate":false}}`, `{"e":{"regenerate":"x"}}`, `{"e":{"regenerate":null}}`, `{"e":{"embeddings":null,"regenerate":false}}`, `{"e":{"embeddings":[],"regenerate":false}}`, `{"e":{"embeddings":"x","regenerate":false}}`,
	`{"e":{"embeddings":[1],"regenerate":false}}`, `{"e":{"embeddings":[1,2],"regenerate":false,"more":1}}`, `{"other":[1,2,3]}`, `{"e":[1,2],"other":"x"}`, `{"e":[1e39,0]}`, `{"e":[1,2],"e":[1]}`, `{"e":{"embeddings":{"a":1},"regenerate":false}}`,
}

// coded is a body in a coding.
func coded(coding, body string) string {
	var b bytes.Buffer
	switch coding {
	case "gzip":
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(body)) // into memory
		_ = w.Close()
	case "deflate":
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(body))
		_ = w.Close()
	case "br":
		w := brotli.NewWriter(&b)
		_, _ = w.Write([]byte(body))
		_ = w.Close()
	default:
		return body
	}
	return b.String()
}

// matrix is every case.
func matrix() []matrixCase {
	var out []matrixCase
	add := func(state, name string, s step) {
		out = append(out, matrixCase{name: name + " on " + state, before: states[state], step: s})
	}
	for _, method := range []string{"POST", "PUT"} {
		for i, p := range payloads {
			add("documents", fmt.Sprintf("payload %d", i), sent(method, "", typeJSON, p))
			if method == "PUT" && i%3 != 0 {
				continue // what follows is seldom about the method
			}
			for _, state := range []string{"no index", "empty index", "declared key", "nested key"} {
				add(state, fmt.Sprintf("payload %d", i), sent(method, "", typeJSON, p))
			}
			lines := strings.ReplaceAll(strings.Trim(p, "[]"), "},{", "}\n{")
			add("documents", fmt.Sprintf("payload %d in lines", i), sent(method, "", typeNDJSON, lines))
			add("no index", fmt.Sprintf("payload %d in lines", i), sent(method, "", typeNDJSON, lines))
			for k, pk := range []string{"id", "sku", "meta.id", "title", "", "%20", "a%20b"} {
				if i%4 == k%4 || i < 3 {
					add("empty index", fmt.Sprintf("payload %d with key %s", i, pk), sent(method, "?primaryKey="+pk, typeJSON, p))
				}
			}
			add("no index", fmt.Sprintf("payload %d with key sku", i), sent(method, "?primaryKey=sku", typeJSON, p))
			add("documents", fmt.Sprintf("payload %d with the same key", i), sent(method, "?primaryKey=id", typeJSON, p))
			add("documents", fmt.Sprintf("payload %d with another key", i), sent(method, "?primaryKey=sku", typeJSON, p))
			add("emptied", fmt.Sprintf("payload %d with another key", i), sent(method, "?primaryKey=sku", typeJSON, p))
			add("documents", fmt.Sprintf("payload %d without creation", i), sent(method, "?skipCreation=true", typeJSON, p))
			add("settings only", fmt.Sprintf("payload %d without creation", i), sent(method, "?skipCreation=True&customMetadata=m", typeJSON, p))
		}
		for i, p := range broken {
			for _, contentType := range []string{typeJSON, typeNDJSON} {
				add("documents", fmt.Sprintf("broken %d", i), sent(method, "", contentType, p))
			}
			add("no index", fmt.Sprintf("broken %d", i), sent(method, "", typeJSON, p))
		}
		for i, p := range csvs {
			for _, state := range []string{"documents", "no index"} {
				add(state, fmt.Sprintf("table %d", i), sent(method, "", typeCSV, p))
			}
			add("no index", fmt.Sprintf("table %d with a key", i), sent(method, "?primaryKey=id", typeCSV, p))
		}
	}
	out = append(out, parameterCases()...)
	return append(out, settingsCases()...)
}

// parameterCases are content types, codings and parameters.
func parameterCases() []matrixCase {
	var out []matrixCase
	add := func(name string, s step) {
		out = append(out, matrixCase{name: name, before: states["documents"], step: s})
	}
	const one, table = `[{"id":9,"title":"nine"}]`, "id;title\n9;nine\n"
	for _, contentType := range []string{"", "text/plain", "application/json; charset=utf-8", "Application/JSON", "application/json;x", "application/x-ndjson; charset=utf-8", "text/csv; charset=utf-8",
		"TEXT/CSV", "application/ndjson", "application/xml", "json", "application/vnd.api+json", "text/json", "multipart/form-data", ";", "application/json, text/csv"} {
		add("content type "+contentType, sent("POST", "", contentType, one))
		add("an empty body of type "+contentType, sent("PUT", "", contentType, ""))
	}
	for coding, names := range map[string][]string{"gzip": {"gzip", "GZIP", "x-gzip"}, "deflate": {"deflate"}, "br": {"br"}, "": {"identity", "zstd", "nope", "gzip, br"}} {
		for _, name := range names {
			for contentType, body := range map[string]string{typeJSON: one, typeNDJSON: "{\"id\":9}\n{\"id\":10}", typeCSV: "id,title\n9,nine\n"} {
				add("coded by "+name, sent("POST", "", contentType, coded(coding, body), "Content-Encoding", name))
			}
			add("an empty body coded by "+name, sent("POST", "", typeJSON, coded(coding, ""), "Content-Encoding", name))
			add("a bad body coded by "+name, sent("POST", "", typeJSON, coded(coding, `[{"id":`), "Content-Encoding", name))
		}
	}
	for _, q := range []string{"?csvDelimiter=%3B", "?csvDelimiter=;", "?csvDelimiter=", "?csvDelimiter=ab", "?csvDelimiter=%C3%A9", "?csvDelimiter=%09", "?csvDelimiter=%22", "?csvDelimiter=%0A", "?csvDelimiter=%00", "?csvDelimiter=1", "?csvDelimiter=i"} {
		add("delimiter "+q, sent("POST", q, typeCSV, table))
		add("delimiter "+q, sent("POST", q, typeJSON, one))
		add("delimiter "+q, sent("PUT", q, typeNDJSON, one))
	}
	for _, q := range []string{"?primaryKey", "?primaryKey=a&primaryKey=b", "?nope=1", "?primarykey=id", "?skipCreation", "?skipCreation=", "?skipCreation=1", "?skipCreation=TRUE", "?skipCreation=false", "?skipCreation=no",
		"?customMetadata=x", "?customMetadata=", "?customMetadata=%7B%22a%22%3A1%7D", "?customMetadata=%F0%9F%8D%89&primaryKey=id", "?", "?&", "?primaryKey=id&csvDelimiter=%3B", "?customMetadata=" + strings.Repeat("x", 2000)} {
		add("parameters "+q, sent("POST", q, typeJSON, one))
	}
	for _, s := range []step{
		{method: "POST", path: docs + "/delete-batch", body: `[1,"two"]`}, {method: "POST", path: docs + "/delete-batch", body: `[1,1,"1",99]`}, {method: "POST", path: docs + "/delete-batch", body: `[]`},
		{method: "POST", path: docs + "/delete-batch", body: `[1.5,null,true,{"a":1},[2]]`}, {method: "POST", path: docs + "/delete-batch", body: `{"ids":[1]}`}, {method: "POST", path: docs + "/delete-batch", body: `1`}, {method: "POST", path: docs + "/delete-batch", body: `[1`},
		{method: "POST", path: docs + "/delete-batch?customMetadata=d", body: `["two"]`}, {method: "POST", path: docs + "/delete-batch?x=1", body: `["two"]`},
		{method: "DELETE", path: docs + "/1"}, {method: "DELETE", path: docs + "/none?customMetadata=d"}, {method: "DELETE", path: docs + "/a%20b"}, {method: "DELETE", path: docs + "?customMetadata=all"}, {method: "DELETE", path: docs + "?x=1"},
		{method: "POST", path: docs + "/delete", body: `{"filter":"title = one"}`}, {method: "POST", path: docs + "/delete", body: `{"filter":"id = "}`}, {method: "POST", path: docs + "/delete", body: `{"filter":""}`}, {method: "POST", path: docs + "/delete", body: `{}`},
		{method: "POST", path: docs + "/delete", body: `{"filter":1}`}, {method: "POST", path: docs + "/delete", body: `{"filter":["a = 1",["b = 2"]]}`}, {method: "POST", path: docs + "/delete?customMetadata=f", body: `{"filter":[]}`},
		{method: "PATCH", path: docs, body: one},
	} {
		add("deletion", s)
		out = append(out, matrixCase{name: "deletion on no index", step: s})
	}
	return out
}

// settingsCases are documents that settings make good or bad.
func settingsCases() []matrixCase {
	var out []matrixCase
	for _, method := range []string{"POST", "PUT"} {
		for state, values := range map[string][]string{"geo": geos, "vectors": vectors, "two embedders": {`{"a":[1,2],"b":[1]}`, `{"a":[1,2]}`, `{"b":[1]}`, `{"a":[1],"b":[1,2]}`, `{"a":null,"b":null}`, `{"a":"x","b":"y"}`, `{"c":[1]}`}} {
			field := map[bool]string{true: "_geo", false: "_vectors"}[state == "geo"]
			for i, v := range values {
				for id, where := range map[int]string{1: "a known document", 9: "a new document"} {
					for _, query := range []string{"", "?skipCreation=true"} {
						out = append(out, matrixCase{name: fmt.Sprintf("%s %d in %s%s", state, i, where, query), before: states[state],
							step: sent(method, query, typeJSON, fmt.Sprintf(`[{"id":%d,%q:%s}]`, id, field, v))})
					}
				}
				if state == "geo" {
					out = append(out, matrixCase{name: fmt.Sprintf("%s %d among good ones", state, i), before: states[state],
						step: sent(method, "", typeJSON, fmt.Sprintf(`[{"id":2},{"id":3,%q:%s},{"id":4}]`, field, v))})
				}
			}
			for _, body := range []string{`[{"id":1,"t":"x"}]`, `[{"id":8,"t":"x"}]`, `[{"id":1},{"id":8},{"id":7}]`, `[{"id":8,"FIELD":BAD},{"id":8,"t":"y"}]`, `[{"id":8,"FIELD":BAD},{"id":8,"FIELD":GOOD}]`,
				`[{"id":8,"FIELD":GOOD},{"id":8,"FIELD":BAD}]`, `[{"id":8,"FIELD":GOOD},{"id":8,"t":"y"}]`, `[{"id":8,"t":"y"},{"id":8,"FIELD":GOOD}]`, `[{"id":1,"FIELD":BAD},{"id":1,"t":"y"}]`, `[{"id":1,"FIELD":BAD},{"id":1,"FIELD":GOOD}]`} {
				bad, good := `1`, `{"lat":3,"lng":4}`
				switch state {
				case "vectors":
					bad, good = `{"e":[1]}`, `{"e":[3,4]}`
				case "two embedders":
					bad, good = `{"a":[1,2],"b":[1,2]}`, `{"a":[3,4],"b":[5]}`
				}
				body = strings.NewReplacer("FIELD", field, "BAD", bad, "GOOD", good).Replace(body)
				out = append(out, matrixCase{name: state + " other than others", before: states[state], step: sent(method, "", typeJSON, body)})
			}
		}
	}
	return out
}

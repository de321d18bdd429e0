package payload

import (
	"strings"
	"testing"
)

func csvFault(reason string) string {
	return "malformed_payload: The `csv` payload provided is malformed: `" + reason + "`."
}

// The expectations were compared with answers of real nodes.
func TestParseCSV(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"text", "id,a\n1,x\n2,\"y, \"\"z\"\"\"\n", `{"id":"1","a":"x"}|{"id":"2","a":"y, \"z\""}`},
		{"types", "id:number,ok:boolean,s:string,x:y\n1,true,2,3\n", `{"id":1,"ok":true,"s":"2","x:y":"3"}`},
		{"a type behind the last of several colons", "a:b:number\n1\n", `{"a:b":1}`},
		{"empty cells", "a,b:number,c:boolean\n,,\n\"\",\" \",\n", `{"a":null,"b":null,"c":null}|{"a":null,"b":null,"c":null}`},
		{"white space", "a,b:number,c:boolean\n x , 3 , true \n", `{"a":" x ","b":3,"c":true}`},
		{"numbers as Rust reads them", "n:number\n+5\n007\n.5\n5.\n1e3\n9223372036854775808\n1e-7\n",
			`{"n":5}|{"n":7}|{"n":0.5}|{"n":5.0}|{"n":1000.0}|{"n":9.223372036854776e+18}|{"n":1e-7}`},
		{"numbers that JSON has not", "n:number\nNaN\n-nan\ninf\n1e400\n", `{"n":null}|{"n":null}|{"n":null}|{"n":null}`},
		{"every kind of line end", "a\r\n1\r2\n\n\r\n3", `{"a":"1"}|{"a":"2"}|{"a":"3"}`},
		{"a byte order mark", "\ufeffid,a\n1,2\n", `{"id":"1","a":"2"}`},
		{"a line feed in quotes", "a,b\n\"x\ny\",2\n", `{"a":"x\ny","b":"2"}`},
		{"text behind the closing quote", "a,b\n\"x\"y\"z,2\n", `{"a":"xy\"z","b":"2"}`},
		{"a quote inside a field", "a,b\nx\"y\"z,2\n", `{"a":"x\"y\"z","b":"2"}`},
		{"an unclosed quote", "a,b\n1,\"x,\n2", `{"a":"1","b":"x,\n2"}`},
		{"a name twice", "id,a,id\n1,x,2\n", `{"id":"2","a":"x"}`},
		{"only a header", "id,a", ``},
		{"only an empty line", "\n", ``},
		{"letters beyond ASCII", "é,b\nü漢,2\n", `{"é":"ü漢","b":"2"}`},
		{"a row too long", "id,a\n1,2,3\n",
			csvFault("CSV error: record 1 (line: 2, byte: 5): found record with 3 fields, but the previous record has 2 fields")},
		{"a row too short", "id,a\n1,2\n3\n",
			csvFault("CSV error: record 2 (line: 3, byte: 9): found record with 1 fields, but the previous record has 2 fields")},
		{"a row too long behind CRLF", "id,a\r\n1,2,3\r\n",
			csvFault("CSV error: record 1 (line: 1, byte: 5): found record with 3 fields, but the previous record has 2 fields")},
		{"bytes that are not UTF-8", "id,a\n1,x\xff\n",
			csvFault("CSV parse error: record 1 (line 2, field: 1, byte: 5): invalid utf-8: invalid UTF-8 in field 1 near byte index 1")},
		{"a header that is not UTF-8", "id,\xff\n1,2\n",
			csvFault("CSV parse error: record 0 (line 1, field: 1, byte: 0): invalid utf-8: invalid UTF-8 in field 1 near byte index 0")},
		{"a boolean in capitals", "a:boolean\ntrue\nTrue\n",
			csvFault("Error parsing boolean \"True\" at line 2: provided string was not `true` or `false`")},
		{"a number that is none", "id,a:number\n1,doggo \n", csvFault(`Error parsing number "doggo " at line 1: invalid float literal`)},
		{"a number with underscores", "a:number\n1_000\n", csvFault(`Error parsing number "1_000" at line 1: invalid float literal`)},
		{"a bad number in a column that loses to another of its name", "a:number,a\nx,y\n",
			csvFault(`Error parsing number "x" at line 1: invalid float literal`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, problem := parsed(tt.data, CSV, Options{})
			if got := strings.Join(docs, "|") + problem; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseCSVWithAnotherDelimiter(t *testing.T) {
	docs, problem := parsed("id;a\n1;x,y\n", CSV, Options{Delimiter: ';'})
	if got := strings.Join(docs, "|") + problem; got != `{"id":"1","a":"x,y"}` {
		t.Errorf("got %s", got)
	}
}

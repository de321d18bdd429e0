package corpus

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Odd is a small set of unusual documents that needs no file.
func Odd() *Set {
	s := &Set{Name: "odd", Key: "id", Text: []string{"name", "tags", "nested"}, Facets: []string{"tags", "mixed"},
		Numbers: []string{"n"}, Sorts: []string{"n", "mixed", "name"}, Geo: true}
	for _, doc := range oddDocuments {
		s.Docs = append(s.Docs, compacted([]byte(doc)))
	}
	s.Docs = append(s.Docs, json.RawMessage(fmt.Sprintf(`{"id":"%s","name":"an id of 500 bytes"}`, strings.Repeat("long-", 100))))
	words := []string{"tree", "trees", "forest", "river", "Rivers", "stone", "ston", "café", "cafe", "naïve", "naive", "12", "1.5", "New York", "newyork", "тест", "дерево"}
	for i := range 120 {
		doc := fmt.Sprintf(`{"id":%d,"name":"%s %s %s","n":%d,"tags":["%s","t%d"],"mixed":%s,"flag":%v,"_geo":{"lat":%d.5,"lng":%d.25}}`,
			1000+i, words[i%len(words)], words[i*7%len(words)], words[i*3%11], i%9, words[i*5%len(words)], i%4,
			[]string{"1", `"1"`, `"x"`, "true", "null", "2.5", `["a",3]`}[i%7], i%2 == 0, i%80-40, i%170-85)
		s.Docs = append(s.Docs, json.RawMessage(doc))
	}
	s.learn()
	return s
}

var oddDocuments = []string{
	`{"id":1,"name":"an integer id","n":1}`,
	`{"id":"2","name":"a string that looks like a number","n":2}`,
	`{"id":"007","name":"leading zeros","n":7}`,
	`{"id":"-5","name":"a negative number","n":-5}`,
	`{"id":0,"name":"zero","n":0}`,
	`{"id":9007199254740993,"name":"beyond the integers of floats","n":9007199254740993}`,
	`{"id":18446744073709551615,"name":"the largest unsigned number","n":18446744073709551615}`,
	`{"id":"1e3","name":"an exponent","n":1e3}`,
	`{"id":"a-b_c","name":"dashes and lines","n":-9223372036854775808}`,
	`{"id":"ABC","name":"upper case"}`,
	`{"id":"abc","name":"lower case"}`,
	`{"id":"null","name":null,"mixed":null,"tags":null,"n":null}`,
	`{"id":"empty","name":"","mixed":"","tags":[],"nested":{},"n":""}`,
	`{"id":"missing"}`,
	`{"id":"mixed-1","name":"one mixed","mixed":1}`,
	`{"id":"mixed-2","name":"two mixed","mixed":"1"}`,
	`{"id":"mixed-3","name":"three mixed","mixed":[1,"one",true,null,2.5]}`,
	`{"id":"mixed-4","name":"four mixed","mixed":{"deep":1}}`,
	`{"id":"mixed-5","name":"five mixed","mixed":true}`,
	`{"id":"mixed-6","name":"six mixed","mixed":"ONE"}`,
	`{"id":"mixed-7","name":"seven mixed","mixed":" one "}`,
	`{"id":"mixed-8","name":"eight mixed","mixed":[[1,2],["x",["y"]]]}`,
	`{"id":"bools","name":"yes and no","flag":true,"tags":["true","false"],"mixed":false}`,
	`{"id":"nested","name":"nested tree","nested":{"deep":{"text":"a tree inside","n":3},"list":[{"x":1},{"x":2,"y":"tree"}]}}`,
	`{"id":"nested-2","name":"dotted","nested.deep":"a name with a dot","nested":{"deep":"and the same nested"},"a.b":1,"a":{"b":2}}`,
	`{"id":"nested-3","name":"an array of objects","nested":[{"deep":"one tree"},{"deep":"two trees"},{"deep":3}]}`,
	`{"id":"emoji","name":"👩‍👩‍👧 family 🎉 party","tags":["🎉","👩‍👩‍👧"]}`,
	`{"id":"reserved","name":"reserved words","TO":"1","AND":"2","_id":"x","hits":[1],"_rankingRules":3,"objectID":"o","primaryKey":"id","q":"tree","__proto__":{"a":1}}`,
	`{"id":"flags","name":"upper FLAG lower flag","flag":"false"}`,
	`{"id":"greek","name":"Ἀθῆναι και Θεσσαλονίκη","tags":["ΟΔΟΣ","οδός"]}`,
	`{"id":"russian","name":"Большое дерево у реки","tags":["дерево","река"]}`,
	`{"id":"arabic","name":"شجرة كبيرة بجانب النهر","tags":["شجرة"]}`,
	`{"id":"hebrew","name":"עץ גדול ליד הנהר"}`,
	`{"id":"hindi","name":"नदी के पास बड़ा पेड़"}`,
	`{"id":"turkish","name":"İstanbul'da ışık ve IĞDIR"}`,
	`{"id":"german","name":"Straße und GROẞE Bäume über Äcker"}`,
	`{"id":"vietnamese","name":"Cây lớn bên bờ sông"}`,
	`{"id":"polish","name":"Łódź i wielkie drzewo"}`,
	`{"id":"decomposed","name":"cafe\u0301 and re\u0301sume\u0301"}`,
	`{"id":"ligature","name":"ﬁne oﬃce ① ½ Ⅷ"}`,
	`{"id":"camel","name":"camelCase HTTPServer iPhone snake_case kebab-case dot.case"}`,
	`{"id":"quotes","name":"it's a \"quoted\" word, l'arbre d’été rock'n'roll"}`,
	`{"id":"marks","name":"C++ C# .NET @home #tag 50% $5 a&b a|b x/y (tree) [river] {stone}"}`,
	`{"id":"numbers","name":"3.14 1,000 1 000 12:30 2020-01-02 0x1F 1st 2nd","n":3.14}`,
	`{"id":"html","name":"<b>tree</b> &amp; <em>river</em>"}`,
	`{"id":"long-word","name":"pneumonoultramicroscopicsilicovolcanoconiosis tree"}`,
	`{"id":"spaces","name":"  tree\t\tin\nmany   spaces \u00a0 here  "}`,
	`{"id":"repeated","name":"tree tree tree tree tree river tree"}`,
	`{"id":"sentences","name":"First tree. Second river! Third stone? Fourth: forest; fifth, tree"}`,
	`{"id":"floats","name":"floats","n":0.1,"mixed":[1e21,1.0,-0.0,1e-7]}`,
	`{"id":"array-name","name":["several","names of a tree",{"text":"and one inside"},3,true,null]}`,
	`{"id":"number-name","name":42,"n":[1,2,3]}`,
	`{"id":"bool-name","name":true}`,
	`{"id":"object-name","name":{"first":"tree","last":"river"}}`,
	`{"id":"geo-1","name":"on the equator","_geo":{"lat":0,"lng":0}}`,
	`{"id":"geo-2","name":"the date line","_geo":{"lat":10.5,"lng":180}}`,
	`{"id":"geo-3","name":"the date line again","_geo":{"lat":"10.5","lng":"-180"}}`,
	`{"id":"geo-4","name":"a pole","_geo":{"lat":90,"lng":12}}`,
	`{"id":"geo-5","name":"no place","_geo":null}`,
	`{"id":"same-1","name":"the same tree by the river","n":5}`,
	`{"id":"same-2","name":"the same tree by the river","n":5}`,
	`{"id":"same-3","name":"the same tree by the river","n":5}`,
	`{"id":"deep","name":"very deep","nested":{"a":{"b":{"c":{"d":{"e":{"f":"bottom tree"}}}}}}}`,
}

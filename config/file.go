package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// secrets are refused in the file, under any spelling an operator may try.
var secrets = map[string]string{"master_key": "MIROIR_MASTER_KEY", "admin_key": "MIROIR_ADMIN_KEY", "node_key": "MIROIR_NODE_KEY",
	"task_webhook_authorization_header": "MIROIR_TASK_WEBHOOK_AUTHORIZATION_HEADER"}

// readFile applies a file to c.
func (c *Config) readFile(path string) error {
	data, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return c.parse(path, data)
}

// parse applies YAML to c and remembers the line of every value.
func (c *Config) parse(path string, data []byte) error {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil // an empty file sets nothing
	case err != nil:
		return fmt.Errorf("%s: %w", path, trimYAML(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: a configuration is one YAML document, this has more", path)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if err := c.walk(path, "", root, reflect.TypeFor[Config]()); err != nil {
		return err
	}
	if err := root.Decode(c); err != nil {
		return fmt.Errorf("%s: %w", path, trimYAML(err))
	}
	return nil
}

func trimYAML(err error) error {
	return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ", ""))
}

// walk checks the keys under a node against the fields of t.
func (c *Config) walk(path, prefix string, n *yaml.Node, t reflect.Type) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			name := prefix + "[" + strconv.Itoa(i) + "]"
			c.where[name] = place(path, item)
			if err := c.walk(path, name, item, t.Elem()); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := c.walkMember(path, prefix, n.Content[i], n.Content[i+1], t); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Struct && n.Tag != "!!null":
		return fmt.Errorf("%s: %s must be a mapping of names to values", place(path, n), cmpOr(prefix, "the configuration"))
	default: // wrong kinds are the decoder's to report
	}
	return nil
}

func (c *Config) walkMember(path, prefix string, key, value *yaml.Node, t reflect.Type) error {
	if env, secret := secrets[strings.ReplaceAll(strings.ToLower(key.Value), "-", "_")]; secret {
		return fmt.Errorf("%s: %s: keys never come from the configuration file; set %s, or %s_FILE to a file that holds the key",
			place(path, key), key.Value, env, env)
	}
	names := fieldNames(t)
	at := slices.IndexFunc(names, func(n fieldName) bool { return n.name == key.Value })
	name := key.Value
	if prefix != "" {
		name = prefix + "." + name
	}
	if at < 0 {
		return fmt.Errorf("%s: unknown key %s; known here are %s", place(path, key), name, listNames(names))
	}
	c.where[name] = place(path, key)
	return c.walk(path, name, value, names[at].typ)
}

func place(path string, n *yaml.Node) string { return path + ":" + strconv.Itoa(n.Line) }

type fieldName struct {
	name string
	typ  reflect.Type
}

// fieldNames lists what the yaml tags of a struct call its fields.
func fieldNames(t reflect.Type) []fieldName {
	var out []fieldName
	for f := range t.Fields() {
		if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
			out = append(out, fieldName{tag, f.Type})
		}
	}
	return out
}

func listNames(names []fieldName) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.name
	}
	return strings.Join(out, ", ")
}

func cmpOr(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

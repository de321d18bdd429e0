// Package config reads what an operator sets: built-in defaults, then one YAML
// file, then MIROIR_ environment variables, then flags; later ones win.
//
// Every error names the field and where its value came from, with the line when
// that is the file. Keys never come from the file, so that it can be shown,
// shared and committed.
package config

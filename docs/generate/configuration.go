package main

import (
	"bytes"
	"fmt"
	"strings"

	"cms.gov/ab2d/adapters/config"
)

// configurationPage lists every setting.
func configurationPage() ([]byte, error) {
	c, _, err := config.Load(nil, nil)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`# Configuration

Every setting of ` + "`ab2d`" + `. A setting is a flag (` + "`--lease 1m`" + `), a variable (` + "`AB2D_LEASE=1m`" + `) or a key of a YAML file (` + "`--config FILE`" + `, ` + "`lease: 1m`" + `), and counts in
this order. Unknown ones are errors. ` + "`ab2d config`" + ` shows each with its value and where that came from. A variable that ends in ` + "`_FILE`" + ` names a file with
the secret, so that the secret itself stays out of the environment.

Durations are written as ` + "`90s`, `15m` or `24h`" + `; rates as ` + "`60/5s`" + `, sixty at once and then one every five seconds; sizes in bytes. This page is made from the code.

| setting | variable | default | meaning |
|---|---|---|---|
`)
	for _, s := range c.Settings() {
		value := s.Default
		switch {
		case s.Name == "workers":
			value = "the number of CPUs" // of the machine that this is made on, otherwise
		case value != "":
			value = "`" + value + "`"
		}
		name := "`" + s.Variable() + "`"
		if s.Secret {
			name += " `" + s.Variable() + "_FILE`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, name, value, strings.ReplaceAll(cell(s.Usage), `\_`, "_"))
	}
	b.WriteString(`
Beside these the standard variables of what the service is made with count: ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` and its like say where traces and metrics go,
` + "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`" + ` and the AWS tools' files hold the keys of an S3 store, ` + "`SSL_CERT_FILE`" + ` the authorities that are trusted, ` + "`GOMEMLIMIT`" + ` a bound of memory.
`)
	return b.Bytes(), nil
}

package sandboxauth

import (
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
)

// GuideSponsor is one of the sample sponsors of the developer guide of 2019,
// which prints their credentials for everybody to use.
type GuideSponsor struct {
	Name     string
	Contract domain.ContractNumber
	Client   domain.ClientID
	Secret   string
	Members  int // how many people the guide says the sponsor has

	// The guide's row for PDP-1000 lost characters in its id and its secret.
	// The true ones are in its Base64, which itself lacks the first five. Who
	// copied the row as it is printed gets in too.
	PrintedID, PrintedSecret string
}

// Guide lists the guide's sponsors.
var Guide = []GuideSponsor{
	{Name: "PDP-100", Contract: "S0000", Client: "0oa2t0lsrdZw5uWRx297", Secret: "HHduWG6LogIvDIQuWgp3Zlo9OYMValTtH5OBcuHw", Members: 100},
	{Name: "PDP-1000", Contract: "S0001", Client: "0oa2t0lc65ErV8OmY297", Secret: "1Bl3HGO6eglkXUDtjVjto3L-3C0offzTMk2qlz9r", Members: 1000,
		PrintedID: "0lc65ErV8OmY297", PrintedSecret: "GO6eglkXUDtjVjto3L-3C0offzTMk2qlz9r"},
	{Name: "PDP-2000", Contract: "S0002", Client: "0oa2t0lkicpxFGkGt297", Secret: "eDpanJTtw90vY2viYlX4o2rgVRIR4tDRH0mWr9vN", Members: 2000},
	{Name: "PDP-5000", Contract: "S0005", Client: "0oa2t0l6c1tQbTikz297", Secret: "80zX-7GeiMiiA6zVghiqYZL82oLAWSxhgfBkfo0T", Members: 5000},
	{Name: "PDP-10000", Contract: "S0010", Client: "0oa2t0lm9qoAtJHqC297", Secret: "ybR60JmtcpRt6SAeLmvbq6l-3YDRCZP-WN1At6t_", Members: 10000},
	{Name: "PDP-30000", Contract: "S0030", Client: "0oa2t0lrjyVeVAZjt297", Secret: "kpJkYR2k7CfojrzuZAha0CVVN9PtFKBW4M2ADRKx", Members: 30000},
}

// GuideCredentials returns the credentials of the guide's sponsors.
func GuideCredentials() []credentials.Public {
	var all []credentials.Public
	for _, s := range Guide {
		all = append(all, credentials.Public{ID: string(s.Client), Secret: s.Secret})
		if s.PrintedID != "" {
			all = append(all, credentials.Public{ID: s.PrintedID, Secret: s.PrintedSecret, Client: s.Client})
		}
	}
	return all
}

// Entry point. Importing app.js registers all custom elements; index.html contains <deepaas-page>.

import { applyTheme } from "./theme.js";
import "./app.js";

applyTheme();

// Where the page starts. Importing a part defines its element; index.html holds the outermost one.

import { applyTheme } from "./theme.js";
import "./page.js";

applyTheme();

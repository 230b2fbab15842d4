import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/shell.css';
import '../styles/live.css';
import '../styles/pages.css';

createRoot(document.getElementById('root')!).render(<App />);
